"""One generation, as its behaviour says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from yandexgpt_fake.behaviours import Behaviour
from yandexgpt_fake.connection import Answer
from yandexgpt_fake.errors import as_bytes, error_document, html_page
from yandexgpt_fake.protocols import Answers


async def generate(
    behaviour: Behaviour, answers: Answers, answer: Answer, over: Callable[[], None]
) -> int:
    """Answer a request; its status, 0 for none. `over` is called when the quota is free again,
    which is before the last bytes. Cancelled when the client goes away."""
    await asyncio.sleep(behaviour.delay)
    if behaviour.kind == "error":
        over()
        await answer.whole(
            behaviour.status, "application/json", as_bytes(error_document(behaviour.status))
        )
        return behaviour.status
    if behaviour.kind == "html":
        over()
        await answer.whole(behaviour.status, "text/html", html_page(behaviour.status))
        return behaviour.status
    if behaviour.kind in ("hang", "reset") and behaviour.after is None:
        await _stop(behaviour, answer)
        return 0
    await _answer(behaviour, answers, answer, over)
    return 200


async def _answer(
    behaviour: Behaviour, answers: Answers, answer: Answer, over: Callable[[], None]
) -> None:
    whole = behaviour.kind in ("answer", "refusal", "truncated", "error_line")
    if whole and not answers.streamed:
        over()
        if behaviour.kind == "error_line":
            # Without a stream it is the body.
            await answer.whole(
                behaviour.status, "application/json", as_bytes(error_document(behaviour.status))
            )
        else:
            await answer.whole(200, answers.content_type, answers.whole(behaviour))
        return
    await answer.begin(200, answers.content_type)
    pieces = list(answers.lines(behaviour)) if answers.streamed else [answers.whole(behaviour)]
    left = None if whole or behaviour.kind == "drip" else (behaviour.after or 0)
    chunk = 1 if behaviour.kind == "drip" else behaviour.chunk
    for number, piece in enumerate(pieces):
        for start in range(0, len(piece), chunk):
            data = piece[start : start + chunk]
            if left is not None:
                data, left = data[:left], left - len(data[:left])
            if data:
                await answer.write(data)
            if left == 0:
                await _stop(behaviour, answer)
                break
            # Without a pause the kernel would put the writes together again.
            await asyncio.sleep(behaviour.interval if behaviour.kind == "drip" else 0)
        if left == 0:
            break
        if number < len(pieces) - 1:
            await asyncio.sleep(behaviour.interval)
    over()
    if behaviour.kind != "reset":
        await answer.end()


async def _stop(behaviour: Behaviour, answer: Answer) -> None:
    if behaviour.kind == "hang":
        await asyncio.Event().wait()
    if behaviour.kind == "reset":
        answer.reset()
