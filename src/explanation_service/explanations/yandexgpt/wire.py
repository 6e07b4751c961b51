"""What both protocols have in common: how a prompt is sent and an answer is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from explanation_service.explanations.language_model import Completion, Prompt
from explanation_service.explanations.records import Usage
from explanation_service.explanations.yandexgpt.failures import (
    CallFailed,
    bad_answer,
    failure_of_status,
)

# Added to a text that ran out of tokens.
ELLIPSIS = "…"
# gRPC codes for where an error comes without an HTTP status.
_STATUS_OF_GRPC = {3: 400, 4: 504, 7: 403, 8: 429, 13: 500, 14: 503, 16: 401}

Document: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parameters:
    """What every request of one process has in common; `model_uri` as gpt://folder/name/branch."""

    folder: str
    model: str
    model_uri: str
    temperature: float
    max_tokens: int


class StreamReader(Protocol):
    """Reads the lines of one stream."""

    def read(self, line: str) -> str:
        """The new text in a line, often none; raises CallFailed for an error or a refusal."""

    def end(self) -> Completion:
        """The answer, after the last line; raises CallFailed when the stream was cut off."""


class Wire(Protocol):
    """One protocol."""

    path: str
    headers: Mapping[str, str]

    def request(self, prompt: Prompt, *, stream: bool) -> dict[str, Any]:
        """The body of a request."""

    def completion(self, document: Document) -> Completion:
        """The answer in a response's body; raises CallFailed."""

    def reader(self) -> StreamReader:
        """For the lines of a new stream."""


def parse_object(text: str | bytes) -> Document:
    """A JSON object; raises CallFailed for anything else."""
    try:
        document = json.loads(text)
    # A body with 100,000 brackets in it exhausts the parser's stack.
    except (ValueError, RecursionError):
        raise bad_answer("the body is no JSON") from None
    if not isinstance(document, dict):
        raise bad_answer("the body is no JSON object")
    return document


def failure_of_body(status: int, body: bytes) -> CallFailed:
    """For an answer that is no 200: the service's own words where there are some."""
    try:
        return failure_of_error(status, parse_object(body).get("error"))
    except CallFailed:
        # HTML of a proxy in between, mostly; the status says enough.
        return failure_of_status(status, "no JSON in the body")


def failure_of_error(status: int | None, error: Any) -> CallFailed:
    """For the value of "error"; `status` is the response's own, None within a stream."""
    if not isinstance(error, dict):
        return failure_of_status(status or 500, error if isinstance(error, str) else "")
    code = error.get("httpCode") or _STATUS_OF_GRPC.get(_number(error, "grpcCode", 0), 500)
    message = error.get("message")
    detail = message if isinstance(message, str) else ""
    return failure_of_status(status or (code if isinstance(code, int) else 500), detail)


def usage_of(document: Any, prompt_tokens: str, completion_tokens: str) -> Usage:
    """Tokens; numbers may come as strings, and a missing count is no reason to lose an answer."""
    if not isinstance(document, dict):
        return Usage(0, 0)
    return Usage(_number(document, prompt_tokens, 0), _number(document, completion_tokens, 0))


def text_of(value: Any, name: str) -> str:
    """A string; raises CallFailed."""
    if not isinstance(value, str):
        raise bad_answer(f"{name} is no text")
    return value


def first_of(document: Document, name: str) -> Document:
    """The first object of a list; raises CallFailed."""
    values = document.get(name)
    if not isinstance(values, list) or not values or not isinstance(values[0], dict):
        raise bad_answer(f"{name} is missing")
    return values[0]


def finished(text: str, *, truncated: bool) -> str:
    """The text of an answer that is to be shown; raises CallFailed for an empty one."""
    if not text.strip():
        raise bad_answer("the text is empty")
    return text + ELLIPSIS if truncated else text


def _number(document: Document, name: str, default: int) -> int:
    try:
        return max(0, int(document.get(name, default)))
    except (TypeError, ValueError):
        return default
