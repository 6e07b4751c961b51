"""The API or the monolith over HTTP, as its clients reach it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

# Seconds. A probe's limit is what a pupil would wait; a write's, what the service allows a request.
PROBE_SECONDS = 5.0
SECONDS = 30.0
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_REQUESTS = "explain_http_request_duration_seconds_count"
# Of no client: probes, scrapes, and the state that an open console asks for every two seconds.
_CLIENT_ROUTES = "/v1/"
_STATE_ROUTE = "/v1/rag/status"


@dataclass(frozen=True)
class Answer:
    """Status 0: none came."""

    status: int
    text: str

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found


@dataclass(frozen=True)
class Counters:
    """Of a process since its start."""

    requests: float
    errors: float
    of_clients: float


def samples(text: str) -> list[tuple[str, dict[str, str], float]]:
    """Name, labels and value of each line of a /metrics answer."""
    found = []
    for line in text.splitlines():
        if match := _SAMPLE.match(line):
            name, labels, value = match.groups()
            found.append((name, dict(_LABEL.findall(labels or "")), float(value)))
    return found


def counters_in(text: str) -> Counters:
    """Errors are answers of 500 and above."""
    requests = errors = of_clients = 0.0
    for name, labels, value in samples(text):
        if name == _REQUESTS:
            requests += value
            errors += value if int(labels["status"]) >= 500 else 0
            route = labels["route"]
            if route.startswith(_CLIENT_ROUTES) and route != _STATE_ROUTE:
                of_clients += value
    return Counters(requests, errors, of_clients)


def processed_in(text: str) -> float:
    """Events that a worker has finished; what failed is not."""
    return sum(
        value
        for name, labels, value in samples(text)
        if name == "embed_events_total" and labels.get("outcome") != "failed"
    )


class Service:
    """One base address; no method raises for an answer that does not come."""

    def __init__(self, url: str, keys: Mapping[str, str]) -> None:
        self.url = url
        # "reader" and "writer", where the service asks for keys.
        self._keys = keys
        # Past any proxy of the environment: it is this machine.
        self._opener = build_opener(ProxyHandler({}))

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        seconds: float = SECONDS,
    ) -> Answer:
        key = self._keys.get("writer" if method in ("PUT", "DELETE") else "reader")
        headers = {"Content-Type": "application/json"} | ({"X-API-Key": key} if key else {})
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=seconds) as answer:
                return Answer(answer.status, answer.read().decode(errors="replace"))
        except HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode(errors="replace"))
        # http.client's own errors are no OSErrors.
        except Exception as error:
            return Answer(0, str(getattr(error, "reason", error)) or repr(error))

    def ready_fault(self) -> str | None:
        """What /health/ready lacks, in a sentence."""
        answer = self.request("GET", "/health/ready")
        if answer.status == 200:
            return None
        try:
            return str(answer.json()["detail"])
        except (ValueError, KeyError, TypeError):
            return f"{self.url}/health/ready: {answer.status or 'no answer'} {answer.text[:200]}"

    def probe(self, number: int) -> str | None:
        """One search as a pupil's page would make it; what is wrong with the answer. 4xx are the
        caller's fault, not the service's."""
        # A hundred texts: most come from memory, as most pupils' do.
        query = {"query": f"как пишется слово {number % 100}", "limit": 3}
        answer = self.request("POST", "/v1/rag/search", query, PROBE_SECONDS)
        if 200 <= answer.status < 500:
            return None
        return f"{answer.status or 'no answer'} {answer.text[:200]}"

    def counters(self) -> Counters | None:
        answer = self.request("GET", "/metrics", seconds=PROBE_SECONDS)
        return counters_in(answer.text) if answer.status == 200 else None

    def events_waiting(self) -> int | None:
        """Events of the stream that no worker has acknowledged."""
        answer = self.request("GET", _STATE_ROUTE, seconds=PROBE_SECONDS)
        if answer.status != 200:
            return None
        status = answer.json()
        lag, pending = status.get("stream_lag"), status.get("pending")
        return None if lag is None or pending is None else int(lag) + int(pending)
