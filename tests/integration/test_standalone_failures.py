"""Every program of a standalone instance is killed while changes flow; nothing may be lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

DOCUMENTS = 200
VICTIMS = ("redis", "mongodb", "qdrant", "worker", "api")
# For one write through whatever is down just now, and for everything to be searchable.
WRITE_SECONDS = 60.0
SETTLE_SECONDS = 120.0


@pytest.fixture(scope="module")
def instance(standalone_on: Callable[..., Any]) -> Any:
    started = standalone_on("--no-sample")
    started.start()
    return started


def word(number: int) -> str:
    """A word that no other document has, far from its neighbours' for the stemmer."""
    letters = "бвгджзклмн"
    return "щу" + "а".join(letters[int(digit)] for digit in f"{number:03d}") + "ъю"


def write(client: httpx.Client, number: int) -> None:
    """Again and again until it is acknowledged, as a careful caller does."""
    rule = {"title": f"Правило {word(number)}", "body": f"Слово {word(number)} пишется так."}
    deadline = time.monotonic() + WRITE_SECONDS
    while True:
        try:
            answer = client.put(f"/v1/templates/rule-{number:03d}", json=rule)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.is_success:
            return
        assert answer is None or answer.status_code >= 500, answer.text
        assert time.monotonic() < deadline, answer and answer.text
        time.sleep(0.1)


def best(client: httpx.Client, number: int) -> str | None:
    try:
        answer = client.post("/v1/rag/search", json={"query": word(number), "limit": 1})
        hits = answer.json()["hits"] if answer.is_success else []
    except httpx.TransportError:
        return None
    return hits[0]["template_id"] if hits else None


def indexed(instance: Any) -> Iterator[tuple[str, int, int]]:
    """(template id, chunk, version) of every point in the index."""
    words = _words(instance.child("qdrant"))
    url = f"http://127.0.0.1:{words[words.index('--port') + 1]}"
    page: str | None = None
    while True:
        answer = httpx.post(
            f"{url}/collections/templates/points/scroll",
            json={"limit": 100, "offset": page},
            trust_env=False,
        ).json()["result"]
        for point in answer["points"]:
            payload = point["payload"]
            yield payload["template_id"], payload["chunk_index"], payload["version"]
        page = answer["next_page_offset"]
        if page is None:
            return


def _words(pid: int) -> list[str]:
    with open(f"/proc/{pid}/cmdline") as command:
        return command.read().split("\0")


def test_every_program_may_die_while_changes_flow(instance: Any) -> None:
    killed: dict[str, int] = {}
    with instance.client() as client:
        for number in range(DOCUMENTS):
            if number % 35 == 20 and len(killed) < len(VICTIMS):
                victim = VICTIMS[len(killed)]
                killed[victim] = instance.child(victim)
                os.kill(killed[victim], signal.SIGKILL)
            write(client, number)
        assert set(killed) == set(VICTIMS)

        waiting = set(range(DOCUMENTS))
        deadline = time.monotonic() + SETTLE_SECONDS
        while waiting:
            waiting = {n for n in waiting if best(client, n) != f"rule-{n:03d}"}
            assert time.monotonic() < deadline, (sorted(waiting), instance.says())

        versions = {template["id"]: template["version"] for template in _pages(client)}
    assert len(versions) == DOCUMENTS
    deadline = time.monotonic() + SETTLE_SECONDS
    while sorted(indexed(instance)) != sorted((key, 0, v) for key, v in versions.items()):
        assert time.monotonic() < deadline, "the index does not equal the rule book"
        time.sleep(0.2)
    for victim, pid in killed.items():
        assert instance.child(victim) != pid
        assert f"{victim} was killed by SIGKILL, starting it again" in instance.says()


def _pages(client: httpx.Client) -> Iterator[dict[str, Any]]:
    after: str | None = None
    while True:
        answer = client.get("/v1/templates", params={"limit": 100, **_cursor(after)}).json()
        yield from answer["items"]
        after = answer["next_cursor"]
        if not after:
            return


def _cursor(after: str | None) -> dict[str, str]:
    return {"cursor": after} if after else {}


def test_the_url_is_the_same_after_all_that(instance: Any) -> None:
    with instance.client() as client:
        assert client.get("/health/ready").status_code == 200
