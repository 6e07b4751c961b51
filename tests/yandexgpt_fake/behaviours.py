"""What the next generation does."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_TEXT = (
    "Найдите корень слова и подберите однокоренное, в котором сомнительный гласный стоит под "
    "ударением. Буква под ударением и подскажет верное написание. Сравните с этим свой ответ. "
    "(Это текст подставной модели.)"
)


class Behaviour(BaseModel):
    """One way to treat a request; times in seconds.

    answer: what a healthy model does, in `pieces` lines where a stream is asked for
    refusal, truncated: an answer with ALTERNATIVE_STATUS_CONTENT_FILTER, _TRUNCATED_FINAL
    error: `status` with Yandex's JSON body; error_line: such an error as a line within a stream
    html: `status` with the page of a proxy
    hang: nothing more after `after` bytes of the body; reset: RST there; cut: the body ends there
    drip: the body byte by byte, one each `interval`
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal[
        "answer",
        "refusal",
        "truncated",
        "error",
        "error_line",
        "html",
        "hang",
        "reset",
        "cut",
        "drip",
    ] = "answer"
    # Requests that it is for, when it stands in a list.
    times: int = Field(1, ge=1)
    # Until the first byte.
    delay: float = Field(0.0, ge=0)
    # Between two lines of a stream, and between two bytes of a drip.
    interval: float = Field(0.0, ge=0)
    pieces: int = Field(5, ge=1)
    # Bytes in one write to the socket: a line of a stream comes in several.
    chunk: int = Field(37, ge=1)
    # Bytes of the body that still come; None: no answer at all, not even a status line.
    after: int | None = Field(None, ge=0)
    status: int = Field(500, ge=400, le=599)
    text: str = DEFAULT_TEXT
    model_version: str = "23.10.2024"


class Script(BaseModel):
    """Behaviours for the next requests in order, then the default for all others."""

    model_config = ConfigDict(extra="forbid")

    then: list[Behaviour] = []
    default: Behaviour = Behaviour()

    def take(self) -> Behaviour:
        """The behaviour of the next request."""
        if not self.then:
            return self.default
        first = self.then[0]
        if first.times == 1:
            return self.then.pop(0)
        first.times -= 1
        return first
