"""Calls of the fake, which answers over a real socket: outcomes, attempts, deadlines, secrets."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
import traceback

import pytest
from structlog.testing import capture_logs

from explanation_service.explanations.language_model import Deadlines, Prompt
from explanation_service.explanations.yandexgpt.circuit import FAILURES, State
from explanation_service.explanations.yandexgpt.failures import CallFailed
from explanation_service.telemetry import request_context
from explanation_service.telemetry.metrics import REGISTRY
from recorded_spans import recorded_spans

KEY = "AQVN-very-secret-key"
PROMPT = Prompt("Объясняй.", "Почему «о»?")
# Seconds; nothing here takes longer unless it hangs.
PATIENCE = 60.0
BOTH = pytest.mark.parametrize("protocol", ["native", "openai"])
WAYS = pytest.mark.parametrize("streamed", [False, True])
TEXT = 'Проверочное слово — «вóды».\u2028Пишем «о»: {"скобки"} и 😀.'


def deadlines(seconds: float = PATIENCE) -> Deadlines:
    return Deadlines(time.monotonic() + seconds, time.monotonic() + seconds)


async def ask(model, streamed: bool, seconds: float = PATIENCE):
    """The completion, and what was told on the way."""
    told: list[str] = []
    if streamed:
        completion = await model.stream(PROMPT, deadlines(seconds), told.append)
    else:
        completion = await model.complete(PROMPT, deadlines(seconds))
    return completion, told


async def failure(model, streamed: bool, seconds: float = PATIENCE) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        await ask(model, streamed, seconds)
    return caught.value


def measured(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@BOTH
@WAYS
async def test_an_answer(world, protocol, streamed):
    world.script(text=TEXT, pieces=7, chunk=3)
    model = world.model(protocol)
    before = measured("explain_llm_tokens_total", kind="completion")
    completion, told = await ask(model, streamed)
    assert completion.text == TEXT
    assert not completion.truncated
    assert completion.model == "yandexgpt-lite" and "23.10.2024" in completion.version
    assert completion.usage.completion_tokens > 0 and completion.usage.prompt_tokens > 0
    used = measured("explain_llm_tokens_total", kind="completion") - before
    assert used == completion.usage.completion_tokens
    if streamed:
        assert "".join(told) == TEXT and len(told) > 1
    assert world.circuit.state is State.CLOSED
    await model.close()
    assert not world.shared.tokens


@BOTH
async def test_what_is_sent(world, protocol):
    model = world.model(protocol)
    await ask(model, False)
    await ask(model, True)
    first, second = world.fake.journal.entries
    for entry in (first, second):
        headers = entry.headers
        assert headers["authorization"] == "Api-Key ***" and entry.status == 200
        assert headers["x-folder-id"] == "folder"
        assert headers["x-data-logging-enabled"] == "false"
        assert KEY not in json.dumps(entry.body)
    assert first.headers["x-client-request-id"] != second.headers["x-client-request-id"]
    if protocol == "native":
        assert first.body["modelUri"] == "gpt://folder/yandexgpt-lite/latest"
        assert first.body["completionOptions"] == {
            "stream": False,
            "temperature": 0.2,
            "maxTokens": "700",
        }
        assert first.body["messages"][1] == {"role": "user", "text": PROMPT.user}
    else:
        assert first.headers["openai-project"] == "folder"
        assert first.body["max_tokens"] == 700
    await model.close()


async def test_a_token_in_place_of_the_key(world):
    world.fake._api_key = "t1.token"
    model = world.model(yandexgpt_api_key=None, yandexgpt_iam_token="t1.token")
    await ask(model, False)
    assert world.fake.journal.entries[0].headers["authorization"] == "Bearer ***"
    await model.close()


@BOTH
@WAYS
async def test_a_text_that_ran_out_of_tokens_is_kept_and_marked(world, protocol, streamed):
    world.script(kind="truncated", text="Половина объ")
    model = world.model(protocol)
    completion, told = await ask(model, streamed)
    assert completion.truncated and completion.text == "Половина объ…"
    assert completion.text.startswith("".join(told))
    await model.close()


@BOTH
@WAYS
async def test_a_refusal_is_not_repeated(world, protocol, streamed):
    world.script(kind="refusal")
    model = world.model(protocol)
    error = await failure(model, streamed)
    assert (error.reason, error.lasting) == ("refused", True)
    assert len(world.fake.journal.entries) == 1
    assert world.circuit.state is State.CLOSED
    await model.close()


@BOTH
@WAYS
@pytest.mark.parametrize(
    ("behaviour", "reason", "attempts"),
    [
        ({"kind": "error", "status": 400}, "rejected", 1),
        ({"kind": "error", "status": 401}, "unauthorized", 1),
        ({"kind": "error", "status": 403}, "unauthorized", 1),
        ({"kind": "error", "status": 429}, "rate_limited", 2),
        ({"kind": "error", "status": 500}, "server_error", 2),
        ({"kind": "error", "status": 503}, "server_error", 2),
        ({"kind": "error", "status": 504}, "upstream_timeout", 1),
        ({"kind": "html", "status": 502}, "server_error", 1),
        ({"kind": "html", "status": 503}, "server_error", 2),
        ({"kind": "reset"}, "broken_off", 1),
        ({"kind": "reset", "after": 40}, "broken_off", 1),
        ({"kind": "cut", "after": 40}, "bad_answer", 1),
    ],
)
async def test_failures(world, protocol, streamed, behaviour, reason, attempts):
    world.script(**behaviour)
    model = world.model(protocol)
    outcome = {"model": "yandexgpt-lite", "outcome": reason}
    before = measured("explain_llm_request_duration_seconds_count", **outcome)
    error = await failure(model, streamed)
    assert error.reason == reason
    assert len(world.fake.journal.entries) == attempts
    assert measured("explain_llm_request_duration_seconds_count", **outcome) == before + 1
    assert measured("explain_llm_inflight") == 0
    await model.close()
    assert not world.shared.tokens


@BOTH
@WAYS
@pytest.mark.parametrize("status", [429, 503])
async def test_the_second_attempt_can_succeed(world, protocol, streamed, status):
    world.script({"kind": "error", "status": status}, text=TEXT)
    model = world.model(protocol)
    completion, told = await ask(model, streamed)
    assert completion.text == TEXT
    assert "".join(told) in ("", TEXT)
    assert [entry.status for entry in world.fake.journal.entries] == [status, 200]
    await model.close()


@BOTH
@pytest.mark.parametrize("kind", ["error_line", "reset", "cut"])
async def test_never_again_after_the_first_piece(world, protocol, kind):
    after = {} if kind == "error_line" else {"after": 700}
    world.script({"kind": kind, "status": 503, "pieces": 8, **after})
    model = world.model(protocol)
    told: list[str] = []
    with pytest.raises(CallFailed):
        await model.stream(PROMPT, deadlines(), told.append)
    assert told
    assert len(world.fake.journal.entries) == 1
    await model.close()


@WAYS
@pytest.mark.parametrize(
    "behaviour",
    [
        {"kind": "hang"},
        {"kind": "hang", "after": 10},
        {"kind": "drip", "interval": 0.05},
        {"delay": 1000},
    ],
)
async def test_one_deadline_holds_whatever_happens(world, streamed, behaviour):
    world.script(**behaviour)
    model = world.model()
    started = time.monotonic()
    error = await failure(model, streamed, 0.3)
    assert error.reason == "timeout"
    # Without a deadline over the whole call the drip would take minutes.
    assert time.monotonic() - started < 10
    async with asyncio.timeout(PATIENCE):
        while world.fake.journal.running:
            await asyncio.sleep(0.01)
    assert [entry.outcome for entry in world.fake.journal.entries] == ["client_gone"]
    await model.close()
    # The service may still be at it.
    assert world.shared.lingering


async def test_the_deadline_includes_the_second_attempt(world):
    world.script({"kind": "error", "status": 503, "delay": 0.2}, kind="hang")
    model = world.model()
    started = time.monotonic()
    error = await failure(model, False, 1.0)
    assert error.reason == "timeout" and time.monotonic() - started < 10
    assert len(world.fake.journal.entries) == 2
    await model.close()


async def test_nobody_at_the_address(world):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        model = world.model(url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        error = await failure(model, False)
    assert error.reason == "connect" and error.retryable
    await model.close()


async def test_without_a_slot_nothing_is_sent(world):
    world.shared.limit = 0
    model = world.model()
    error = await failure(model, False, 0.2)
    assert error.reason == "no_slot"
    assert not world.fake.journal.entries
    assert world.circuit.state is State.CLOSED
    await model.close()


async def test_the_circuit_opens_and_nothing_is_sent_any_more(world):
    world.script(kind="html", status=502)
    model = world.model()
    for _ in range(FAILURES):
        assert (await failure(model, False)).reason == "server_error"
    assert (await failure(model, False)).reason == "circuit_open"
    assert len(world.fake.journal.entries) == FAILURES
    assert measured("explain_circuit_state") == State.OPEN.value
    await model.close()


async def test_a_caller_that_goes_away_cancels_the_request(world):
    world.script(kind="hang")
    model = world.model()
    task = asyncio.create_task(model.complete(PROMPT, deadlines()))
    async with asyncio.timeout(PATIENCE):
        while not world.fake.journal.running:
            await asyncio.sleep(0.01)
        task.cancel()
        while world.fake.journal.running:
            await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.circuit.state is State.CLOSED
    assert measured("explain_llm_inflight") == 0
    await model.close()


@WAYS
@pytest.mark.parametrize(
    "behaviour",
    [
        {},
        {"kind": "error", "status": 401},
        {"kind": "html", "status": 502},
        {"kind": "reset"},
        {"kind": "cut", "after": 5},
    ],
)
async def test_the_key_is_in_no_log_and_in_no_error(world, streamed, behaviour, caplog):
    caplog.set_level(logging.DEBUG)
    world.script(**behaviour)
    model = world.model()
    said = [repr(model), repr(model._transport), repr(model._transport._credentials)]
    with capture_logs() as lines:
        try:
            await ask(model, streamed)
        except CallFailed as error:
            said += ["".join(traceback.format_exception(error)), repr(error), error.detail]
    said += [str(lines), caplog.text]
    assert KEY not in "\n".join(said)
    await model.close()


async def test_a_server_that_repeats_the_key_does_not_get_it_into_the_log(world):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps({"error": {"grpcCode": 16, "message": f"Unknown key {KEY}"}}).encode()
        head = f"HTTP/1.1 401 Unauthorized\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    model = world.model(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with capture_logs() as lines:
        error = await failure(model, False)
    assert error.reason == "unauthorized"
    assert "Unknown key ***" in str(lines) and KEY not in str(lines)
    assert KEY not in error.detail
    await model.close()
    server.close()


@WAYS
async def test_a_call_leaves_a_span_without_its_texts(world, streamed):
    world.script({"text": TEXT}, kind="refusal")
    model = world.model()
    with recorded_spans() as spans, request_context.bind("r", f"00-{'a' * 32}-{'b' * 16}-01"):
        completion, _ = await ask(model, streamed)
        refused = await failure(model, streamed)
    answered, failed = spans
    assert (answered.name, answered.kind.name) == (f"chat {model.name}", "CLIENT")
    assert f"{answered.parent.span_id:016x}" == "b" * 16
    assert dict(answered.attributes) == {
        "gen_ai.request.model": model.name,
        "gen_ai.usage.input_tokens": completion.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": completion.usage.completion_tokens,
        "outcome": "ok",
    }
    assert failed.status.status_code.name == "ERROR"
    assert failed.attributes["outcome"] == refused.reason
