from __future__ import annotations

import asyncio
import re

import pytest

from explanation_service.telemetry import request_context as context

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("raw", ["a", "A-b_c.9", "x" * 64])
def test_a_well_formed_request_id_is_kept(raw: str) -> None:
    assert context.accept_request_id(raw) == raw


@pytest.mark.parametrize("raw", [None, "", "x" * 65, "a b", "a\n", "ы", '{"a"', "a/b"])
def test_any_other_request_id_is_replaced(raw: str | None) -> None:
    fresh = context.accept_request_id(raw)
    assert fresh != raw and re.fullmatch(r"[0-9a-f]{32}", fresh)
    assert fresh != context.accept_request_id(raw)


def test_a_valid_traceparent_is_kept_and_ours_are_valid() -> None:
    assert context.valid_traceparent(TRACE) == TRACE
    ours = context.new_traceparent()
    assert context.valid_traceparent(ours) == ours
    assert context.new_traceparent() != ours


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        TRACE.upper(),
        TRACE + "\n",
        TRACE + "-extra",
        "ff" + TRACE[2:],
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
    ],
)
def test_an_invalid_traceparent_is_none(raw: str | None) -> None:
    assert context.valid_traceparent(raw) is None


def test_bind_is_undone_even_after_an_error() -> None:
    with context.bind("outer", TRACE):
        with pytest.raises(RuntimeError), context.bind("inner", None):
            assert (context.request_id.get(), context.traceparent.get()) == ("inner", None)
            raise RuntimeError
        assert (context.request_id.get(), context.traceparent.get()) == ("outer", TRACE)
    assert (context.request_id.get(), context.traceparent.get()) == (None, None)


async def test_tasks_do_not_see_each_other() -> None:
    async def work(name: str) -> str | None:
        with context.bind(name, None):
            await asyncio.sleep(0.01)
            return context.request_id.get()

    assert await asyncio.gather(work("a"), work("b")) == ["a", "b"]
