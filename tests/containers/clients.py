"""Clients of the service: so many requests a second to the address in a file, each counted."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

ASK = {
    "question": "Какую букву писать в корне?",
    "student_answer": "вада",
    "correct_answer": "вода",
}


@dataclass(frozen=True)
class Outcome:
    """One request: when it began, and what was wrong with it. `store`: the service answered, in
    time, that a store did not: with two cores for all that is what a machine in a hurry looks like,
    and no client is without a service."""

    at: float
    fault: str | None
    store: bool = False


class Clients(threading.Thread):
    """Searches, with an explanation and a write among each twenty, until stopped.

    The file holds the address, as an upstream file of a reverse proxy does: whoever sends the
    clients elsewhere replaces it.
    """

    def __init__(self, address: Path, per_second: int) -> None:
        super().__init__()
        self._address = address
        self._pause = 1 / per_second
        self._stopped = threading.Event()
        # A connection that the server is about to close for its idleness is not used again.
        limits = httpx.Limits(max_connections=50, keepalive_expiry=2)
        self._http = httpx.Client(timeout=10, trust_env=False, limits=limits)
        self.outcomes: list[Outcome] = []
        self.written: set[str] = set()
        self.seconds = 0.0

    def run(self) -> None:
        started = time.monotonic()
        with ThreadPoolExecutor(20) as pool:
            number = 0
            while not self._stopped.is_set():
                pool.submit(self._request, number)
                number += 1
                # By the clock: what was late is made up for.
                self._stopped.wait(max(0.0, started + number * self._pause - time.monotonic()))
        self.seconds = time.monotonic() - started

    def __enter__(self) -> Clients:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.join()
        self._http.close()

    def failed(self) -> list[str]:
        """What was wrong with each that failed."""
        return [one.fault for one in self.outcomes if one.fault and not one.store]

    def slow_stores(self) -> int:
        """How many were told that a store had not answered in its time."""
        return sum(one.store for one in self.outcomes)

    def unavailable_seconds(self) -> float:
        """From each failed request to the next that did not fail."""
        total, since = 0.0, None
        for one in sorted(self.outcomes, key=lambda one: one.at):
            failed = one.fault is not None and not one.store
            if failed and since is None:
                since = one.at
            elif not failed and since is not None:
                total, since = total + one.at - since, None
        return total

    def figures(self) -> str:
        return (
            f"{len(self.outcomes)} requests in {self.seconds:.0f} s, {len(self.failed())} failed, "
            f"{self.unavailable_seconds():.2f} s unavailable; {self.slow_stores()} times a store "
            "was slow"
        )

    def _request(self, number: int) -> None:
        at, fault, store = time.monotonic(), None, False
        try:
            answer = self._send(self._address.read_text().strip(), number)
            if answer.status_code >= 400:
                fault = f"{answer.status_code} {answer.text}"
                store = answer.status_code == 503 and "dependency_unavailable" in answer.text
        except Exception as error:  # whatever it is, this request had no answer
            fault = repr(error)
        self.outcomes.append(Outcome(at, fault, store))

    def _send(self, url: str, number: int) -> httpx.Response:
        if number % 20 == 1:
            return self._http.post(f"{url}/v1/explanations", json=ASK)
        if number % 20 == 11:
            name = f"written-{number}"
            body = f"Правило под номером {number}: слово {number * 7919} пишут слитно."
            rule = {"title": f"Правило {number}", "body": body}
            answer = self._http.put(f"{url}/v1/templates/{name}", json=rule)
            if answer.is_success:
                self.written.add(name)
            return answer
        query = {"query": f"как пишут слово {number % 50}", "limit": 3}
        return self._http.post(f"{url}/v1/rag/search", json=query)
