"""Health, readiness, metrics and the console."""

from __future__ import annotations

import asyncio
import re

import pytest
from structlog.testing import capture_logs

from explanation_service.api import health
from explanation_service.stores.records import WorkerState


async def test_alive_whatever_is_down(client, world):
    world.switch.down.update({"mongodb", "redis", "qdrant"})
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_ready_without_any_worker(client):
    answer = await client.get("/health/ready")
    assert answer.status_code == 200
    dependencies = answer.json()["dependencies"]
    assert set(dependencies) == {"mongodb", "redis", "qdrant", "workers"}
    assert dependencies["workers"]["status"] == "none"
    assert dependencies["workers"]["needed"] is False


async def test_a_live_worker_shows(client, world):
    world.workers.live = [WorkerState("w1", "all", "rev1", "e5", 384, True)]
    dependencies = (await client.get("/health/ready")).json()["dependencies"]
    assert dependencies["workers"]["status"] == "ok"


@pytest.mark.parametrize("name", ["mongodb", "redis", "qdrant"])
async def test_unready_without_a_store(client, world, name):
    world.switch.down.add(name)
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["ready"]) == (503, False)
    assert name in problem["detail"]
    states = {key: state["status"] for key, state in problem["dependencies"].items()}
    down = [key for key, state in states.items() if state == "down"]
    assert down == [name]
    assert problem["dependencies"][name]["detail"] == f"{name} does not answer"
    assert "secret-host" not in answer.text


async def test_a_store_that_keeps_silent_is_named(client, world, monkeypatch):
    monkeypatch.setattr(health, "PROBE_TIMEOUT", 0.05)

    async def hang():
        await asyncio.Event().wait()

    services = client._transport.app.state.services
    monkeypatch.setitem(services.probes, "mongodb", hang)
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    detail = answer.json()["dependencies"]["mongodb"]["detail"]
    assert detail == "mongodb: no answer within 0.05 s"


async def test_a_store_that_hangs_does_not_hang_the_probe(client, world, monkeypatch):
    monkeypatch.setattr(health, "PROBE_TIMEOUT", 0.05)
    world.switch.check = lambda name: None

    async def hang():
        await asyncio.sleep(60)

    world.workers.live_workers = hang
    async with asyncio.timeout(5):
        answer = await client.get("/health/ready")
    assert answer.status_code == 200


async def test_metrics_count_requests_by_route_template(client, rule):
    await client.get("/v1/templates/vowels")
    await client.get("/wp-login.php")
    text = (await client.get("/metrics")).text
    name = "explain_http_request_duration_seconds_count"
    assert name + '{method="GET",route="/v1/templates/{template_id}",status="200"}' in text
    assert name + '{method="GET",route="unmatched",status="404"}' in text
    assert "wp-login" not in text


async def test_one_access_line_a_request(client):
    with capture_logs() as lines:
        await client.get("/nowhere")
    (line,) = [each for each in lines if each["event"] == "request"]
    assert (line["status"], line["path"], line["route"]) == (404, "/nowhere", "unmatched")
    assert line["log_level"] == "info"


async def test_probes_do_not_fill_the_log(client):
    with capture_logs() as lines:
        await client.get("/health")
    assert [each["log_level"] for each in lines if each["event"] == "request"] == ["debug"]


async def test_the_console_needs_nothing_from_outside(client):
    answer = await client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert 'lang="ru"' in answer.text
    assert not re.search(r"https?://|src=\"//|@import", answer.text)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
