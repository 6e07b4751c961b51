"""Both images and the servers on one network: from a write to a search, and what is left when one
side is away or starts anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from redis import Redis
from testcontainers.core.container import DockerContainer

from tests.containers.stack import API, WORKER, Servers, client_of, ready, says, service, wait_for

STREAM = "content:changes"
GROUP = "embedding-workers"
RULE = {
    "title": "Безударные гласные в корне слова",
    "body": "Букву в безударном слоге корня проверяют однокоренным словом, где она под ударением.",
    "exam": "oge",
}
ASK = {
    "question": "Какую букву писать в корне?",
    "student_answer": "вада",
    "correct_answer": "вода",
}
QUESTION = "как проверить букву в корне"
EVENTS = 100


def rule(number: int) -> dict[str, Any]:
    return RULE | {
        "title": f"Правило {number}",
        "body": f"Правило под номером {number}: слово {number * 7919} пишут слитно.",
    }


@contextmanager
def api(servers: Servers) -> Iterator[tuple[DockerContainer, httpx.Client]]:
    with service(API, servers.network) as container:
        ready(container)
        with client_of(container) as client:
            yield container, client


@contextmanager
def worker(servers: Servers, **environment: str) -> Iterator[DockerContainer]:
    with service(WORKER, servers.network, **environment) as container:
        yield container


def metric(container: DockerContainer, name: str) -> float:
    """The sum of a metric over its labels."""
    with client_of(container) as client:
        lines = client.get("/metrics").text.splitlines()
    starts = (name + "{", name + " ")
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(starts))


def dense_answer(client: httpx.Client, query: str) -> dict[str, Any] | None:
    """The answer of a search by meaning, unless it fell back to words."""
    answer = client.post("/v1/rag/search", json={"query": query, "mode": "dense"})
    found: dict[str, Any] = answer.raise_for_status().json()
    return None if found["degraded"] or found["mode"] != "dense" else found


def ids_in_qdrant(servers: Servers) -> set[str]:
    """The templates that have a point, asked of the server itself."""
    with httpx.Client(base_url=servers.url("qdrant", 6333), timeout=10, trust_env=False) as client:
        answer = client.post(
            "/collections/templates/points/scroll", json={"limit": 1000, "with_payload": True}
        )
    if answer.status_code == 404:
        return set()
    return {point["payload"]["template_id"] for point in answer.json()["result"]["points"]}


def all_acknowledged(servers: Servers) -> bool:
    (group,) = [group for group in redis_of(servers).xinfo_groups(STREAM) if group["name"] == GROUP]
    return bool(group["pending"] == 0 and group["lag"] == 0)


def redis_of(servers: Servers) -> Redis:
    host, port = servers.address("redis", 6379)
    return Redis(host=host, port=port, decode_responses=True)


def test_a_write_becomes_an_event_a_point_and_a_hit(servers: Servers) -> None:
    with api(servers) as (_, client):
        assert client.put("/v1/templates/vowels", json=RULE).status_code == 201
        # The event is in the stream before any worker is there to read it.
        entries = redis_of(servers).xrange(STREAM)
        (fields,) = [fields for _, fields in entries if fields["entity_id"] == "vowels"]
        assert (fields["op"], fields["version"]) == ("upsert", "1")
        with worker(servers) as container:
            ready(container)
            wait_for(lambda: "vowels" in ids_in_qdrant(servers), 30, "point in Qdrant")
            wait_for(lambda: all_acknowledged(servers), 10, "acknowledgement")
            assert metric(container, "embed_events_total") >= 1

            # The first vector of a worker that has just started may miss the time for a search.
            found = wait_for(lambda: dense_answer(client, QUESTION), 30, "search by meaning")
            assert found["hits"][0]["template_id"] == "vowels"
            explained = client.post("/v1/explanations", json=ASK)
            assert explained.status_code == 200
            assert "vowels" in explained.text

            assert client.delete("/v1/templates/vowels").status_code == 204
            wait_for(lambda: "vowels" not in ids_in_qdrant(servers), 30, "removal from Qdrant")


def test_the_api_alone_writes_searches_and_explains(servers: Servers) -> None:
    with api(servers) as (_, client):
        written = client.put("/v1/templates/alone", json=RULE)
        assert written.status_code in (200, 201)
        assert client.get("/v1/templates/alone").json()["title"] == RULE["title"]
        found = client.post("/v1/rag/search", json={"query": "буква в корне"})
        assert (found.status_code, found.json()["degraded"]) == (200, True)
        assert client.post("/v1/explanations", json=ASK).status_code == 200
        # A worker that ended before may be taken for alive until its lease is over.
        wait_for(
            lambda: client.get("/v1/rag/status").json()["live_workers"] == 0, 60, "end of leases"
        )


def test_a_worker_alone_handles_what_waits_in_the_stream(servers: Servers) -> None:
    with api(servers) as (_, client):
        for number in range(3):
            client.put(f"/v1/templates/waiting-{number}", json=rule(number)).raise_for_status()
    with worker(servers) as container:
        ready(container)
        expected = {f"waiting-{number}" for number in range(3)}
        wait_for(lambda: expected <= ids_in_qdrant(servers), 30, "points in Qdrant")
        wait_for(lambda: all_acknowledged(servers), 10, "acknowledgement")


def test_three_workers_share_a_hundred_events(servers: Servers) -> None:
    with ExitStack() as stack:
        _, client = stack.enter_context(api(servers))
        workers = [stack.enter_context(worker(servers)) for _ in range(3)]
        for container in workers:
            ready(container)
        wait_for(lambda: all_acknowledged(servers), 30, "empty stream")
        before = [metric(container, "embed_events_total") for container in workers]

        def write(number: int) -> int:
            return client.put(f"/v1/templates/shared-{number}", json=rule(number)).status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(write, range(EVENTS))) == {201}
        expected = {f"shared-{number}" for number in range(EVENTS)}
        wait_for(lambda: expected <= ids_in_qdrant(servers), 120, "points of all events")
        wait_for(lambda: all_acknowledged(servers), 30, "acknowledgement")
        after = [metric(container, "embed_events_total") for container in workers]
        handled = [now - then for now, then in zip(after, before, strict=True)]
        assert sum(handled) == EVENTS, "each event is handled once"
        assert all(handled), f"one worker had nothing to do: {handled}"
        assert client.get("/v1/rag/status").json()["dead_letters"] == 0


class Requests(threading.Thread):
    """Searches and explanations, one after the other until stopped, a thousand at most."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__()
        self._client = client
        self._stopped = threading.Event()
        self.statuses: list[int | str] = []

    def run(self) -> None:
        for number in range(1000):
            if self._stopped.is_set():
                return
            try:
                if number % 2:
                    answer = self._client.post("/v1/explanations", json=ASK)
                else:
                    query = {"query": f"буква в корне {number}"}
                    answer = self._client.post("/v1/rag/search", json=query)
                self.statuses.append(answer.status_code)
            except httpx.HTTPError as error:
                self.statuses.append(repr(error))
            # A user reads before asking again; the worker's start gets the cores in between.
            time.sleep(0.05)

    def stop(self) -> None:
        self._stopped.set()
        self.join()


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGKILL"])
def test_the_api_serves_on_while_the_worker_starts_anew(servers: Servers, signal: str) -> None:
    with api(servers) as (_, client), worker(servers) as container:
        ready(container)
        requests = Requests(client)
        requests.start()
        try:
            inner = container.get_wrapped_container()
            inner.kill(signal)
            inner.wait(timeout=20)
            # Written while nobody reads: must not be lost.
            name = f"restarted-{signal.lower()}"
            client.put(f"/v1/templates/{name}", json=rule(len(name))).raise_for_status()
            seen = len(requests.statuses)
            wait_for(lambda: len(requests.statuses) > seen + 3, 20, "answers without a worker")
            inner.start()
            ready(container)
            wait_for(lambda: name in ids_in_qdrant(servers), 60, "point of the lone write")
        finally:
            requests.stop()
        assert set(requests.statuses) == {200}, says(container)[-2000:]
        assert len(requests.statuses) > 10
