"""`explanation standalone` from the first start to the end of its last process.

The tests share one instance and run in the order of the file.
"""

from __future__ import annotations

import json
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

# Measured: an edit and its deletion together took 0.14 s; the bounds are for a busy machine.
SEARCHABLE_SECONDS = 20.0
SECOND_START_SECONDS = 60.0
STOP_SECONDS = 5.0
QUESTION = "как проверить безударную гласную в корне слова"
ANSWER = "spelling-checked-root-vowels"


@pytest.fixture(scope="module")
def instance(standalone_on: Callable[..., Any]) -> Any:
    started = standalone_on()
    started.start()
    return started


@pytest.fixture
def client(instance: Any) -> Iterator[httpx.Client]:
    with instance.client() as client:
        yield client


def found(client: httpx.Client, query: str, limit: int = 3) -> list[str]:
    answer = client.post("/v1/rag/search", json={"query": query, "limit": limit})
    answer.raise_for_status()
    return [hit["template_id"] for hit in answer.json()["hits"]]


def eventually(condition: Callable[[], bool], seconds: float = SEARCHABLE_SECONDS) -> float:
    """The seconds until `condition` held."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "it did not come to pass"
        time.sleep(0.05)
    return time.monotonic() - begun


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] != "Z"


def test_ready_line_and_examples(instance: Any) -> None:
    assert instance.url.startswith("http://127.0.0.1:")
    assert len(instance.examples) == 3
    for line in instance.examples:
        words = shlex.split(line)
        assert words[0] == "curl"
        method, body = words[words.index("-X") + 1], words[words.index("-d") + 1]
        url = next(word for word in words if word.startswith("http"))
        answer = httpx.request(method, url, json=json.loads(body), timeout=20, trust_env=False)
        assert answer.is_success, answer.text


def test_the_right_rule_is_found(client: httpx.Client) -> None:
    assert found(client, QUESTION)[0] == ANSWER


def test_search_is_hybrid_once_the_vector_is_known(client: httpx.Client) -> None:
    def hybrid() -> bool:
        answer = client.post("/v1/rag/search", json={"query": QUESTION}).json()
        return answer["mode"] == "hybrid" and not answer["degraded"]

    eventually(hybrid)


def test_the_explanation_cites_the_rule(client: httpx.Client) -> None:
    answer = client.post("/v1/explanations", json={"question": QUESTION}, timeout=20)
    assert answer.status_code == 200
    body = answer.json()
    assert body["source"] == "rules"
    assert ANSWER in [passage["template_id"] for passage in body["passages"]]


def test_an_edit_becomes_searchable_and_a_deletion_takes_it_away(client: httpx.Client) -> None:
    rule = {"title": "Пшукалка", "body": "Слово пшукалка пишется через букву ш."}
    assert client.put("/v1/templates/test-rule", json=rule).status_code == 201
    eventually(lambda: found(client, "пшукалка")[:1] == ["test-rule"])
    assert client.delete("/v1/templates/test-rule").is_success
    eventually(lambda: "test-rule" not in found(client, "пшукалка", 50))


def test_a_second_one_on_the_same_data_is_refused(instance: Any) -> None:
    other = type(instance)(instance.data_dir.parent, instance._model)
    other._errors = instance.data_dir.parent / "stderr-of-the-second"
    process = other.launch()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output == ""
    holder = (instance.data_dir / "lock").read_text().strip()
    assert f"process {holder}" in other.says()


def test_ctrl_c_leaves_no_process(instance: Any, client: httpx.Client) -> None:
    # What the next test looks for: an edited and a deleted sample rule.
    edited = {"title": "Изменённое правило", "body": "Новый текст правила."}
    assert client.put(f"/v1/templates/{ANSWER}", json=edited).is_success
    assert client.delete("/v1/templates/spelling-ne-adverbs").is_success
    family = instance.family()
    # Supervisor, watchdog, three stores, API and worker.
    assert len(family) >= 7
    status, seconds = instance.stop(signal.SIGINT)
    assert status == 0
    assert seconds < STOP_SECONDS
    assert [pid for pid in family if is_running(pid)] == []


def test_the_second_start_is_fast_and_finds_everything(instance: Any) -> None:
    instance.start()
    assert instance.seconds_to_ready < SECOND_START_SECONDS, instance.says()
    with instance.client() as client:
        assert client.get(f"/v1/templates/{ANSWER}").json()["title"] == "Изменённое правило"
        assert client.get("/v1/templates/spelling-ne-adverbs").status_code == 404
        assert client.get("/v1/templates/my-first-rule").is_success
        eventually(lambda: found(client, "изменённое правило")[0] == ANSWER)
    assert "sample rule book" not in instance.says()


def test_kill_9_of_the_supervisor_leaves_no_process(instance: Any) -> None:
    family = instance.family()
    instance.stop(signal.SIGKILL)
    eventually(lambda: not any(is_running(pid) for pid in family), STOP_SECONDS)
