"""The two protocols: what a request has to look like, and the bodies of the answers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from yandexgpt_fake.behaviours import Behaviour
from yandexgpt_fake.errors import Refused, as_bytes, error_document

_STATUS = "ALTERNATIVE_STATUS_"
_FINAL = {"refusal": "CONTENT_FILTER", "truncated": "TRUNCATED_FINAL"}
_REASONS = {"refusal": "content_filter", "truncated": "length"}
# About what Russian text takes.
_CHARACTERS_PER_TOKEN = 4


class Answers(Protocol):
    """The answers to one request that was found in order."""

    streamed: bool
    content_type: str

    def whole(self, behaviour: Behaviour) -> bytes:
        """The body without a stream."""

    def lines(self, behaviour: Behaviour) -> Iterator[bytes]:
        """The lines of a stream."""


class Native:
    """foundationModels/v1/completion: wrapper, integers as strings, cumulative lines."""

    def __init__(self, headers: Mapping[str, str], body: Any) -> None:
        options = _object(body, "completionOptions")
        self.streamed = options.get("stream") is True
        self.content_type = "application/json"
        _need(isinstance(options.get("maxTokens"), str), "maxTokens is no string")
        _check_temperature(options.get("temperature"))
        _check_messages(body, "text")
        _check_model(headers, body.get("modelUri"))
        self._prompt = sum(len(message["text"]) for message in body["messages"])

    def whole(self, behaviour: Behaviour) -> bytes:
        status = _FINAL.get(behaviour.kind, "FINAL")
        return as_bytes(self._result(behaviour, _text(behaviour), status))

    def lines(self, behaviour: Behaviour) -> Iterator[bytes]:
        text, pieces = _text(behaviour), behaviour.pieces
        for number in range(1, pieces + 1):
            if behaviour.kind == "error_line" and number > pieces // 2:
                yield as_bytes(error_document(behaviour.status)) + b"\n"
                return
            part = text[: len(text) * number // pieces]
            yield as_bytes(self._result(behaviour, part, "PARTIAL")) + b"\n"
        yield self.whole(behaviour) + b"\n"

    def _result(self, behaviour: Behaviour, text: str, status: str) -> dict[str, Any]:
        prompt, completion = _tokens(self._prompt), _tokens(len(text))
        return {
            "result": {
                "alternatives": [
                    {"message": {"role": "assistant", "text": text}, "status": _STATUS + status}
                ],
                "usage": {
                    "inputTextTokens": str(prompt),
                    "completionTokens": str(completion),
                    "totalTokens": str(prompt + completion),
                    "completionTokensDetails": {"reasoningTokens": "0"},
                },
                "modelVersion": behaviour.model_version,
            }
        }


class OpenAi:
    """chat/completions."""

    def __init__(self, headers: Mapping[str, str], body: Any) -> None:
        _need(isinstance(body, dict), "the body is no object")
        self.streamed = body.get("stream") is True
        self.content_type = "text/event-stream" if self.streamed else "application/json"
        self._with_usage = (body.get("stream_options") or {}).get("include_usage") is True
        _check_temperature(body.get("temperature"))
        _check_messages(body, "content")
        _check_model(headers, body.get("model"))
        self._model = body["model"]
        self._prompt = sum(len(message["content"]) for message in body["messages"])

    def whole(self, behaviour: Behaviour) -> bytes:
        text = _text(behaviour)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": _REASONS.get(behaviour.kind, "stop"),
        }
        document = self._document(behaviour, "chat.completion", [choice])
        return as_bytes({**document, "usage": self._usage(text)})

    def lines(self, behaviour: Behaviour) -> Iterator[bytes]:
        text, pieces = _text(behaviour), behaviour.pieces
        for number in range(pieces):
            if behaviour.kind == "error_line" and number >= pieces // 2:
                yield _event(error_document(behaviour.status))
                return
            part = text[len(text) * number // pieces : len(text) * (number + 1) // pieces]
            yield self._chunk(behaviour, {"role": "assistant", "content": part}, None)
        yield self._chunk(behaviour, {}, _REASONS.get(behaviour.kind, "stop"))
        if self._with_usage:
            document = self._document(behaviour, "chat.completion.chunk", [])
            yield _event({**document, "usage": self._usage(text)})
        yield b"data: [DONE]\n\n"

    def _chunk(self, behaviour: Behaviour, delta: dict[str, str], reason: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return _event(self._document(behaviour, "chat.completion.chunk", [choice]))

    def _document(self, behaviour: Behaviour, kind: str, choices: list[Any]) -> dict[str, Any]:
        return {
            "id": "chatcmpl-fake",
            "object": kind,
            "created": int(time.time()),
            "model": f"{self._model}@{behaviour.model_version}",
            "choices": choices,
        }

    def _usage(self, text: str) -> dict[str, int]:
        prompt, completion = _tokens(self._prompt), _tokens(len(text))
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + as_bytes(document) + b"\n\n"


def _text(behaviour: Behaviour) -> str:
    return "" if behaviour.kind == "refusal" else behaviour.text


def _tokens(characters: int) -> int:
    return max(1, characters // _CHARACTERS_PER_TOKEN)


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise Refused(400, message)


def _object(body: Any, name: str) -> dict[str, Any]:
    _need(isinstance(body, dict), "the body is no object")
    value = body.get(name)
    _need(isinstance(value, dict), f"{name} is missing")
    assert isinstance(value, dict)
    return value


def _check_temperature(value: Any) -> None:
    _need(isinstance(value, int | float) and 0 <= value <= 1, "temperature is out of range [0, 1]")


def _check_messages(body: Any, text: str) -> None:
    messages = body.get("messages")
    _need(isinstance(messages, list) and bool(messages), "messages are missing")
    for message in messages:
        right = isinstance(message, dict) and message.get("role") in ("system", "user", "assistant")
        _need(right and isinstance(message.get(text), str), "a message is not in order")


def _check_model(headers: Mapping[str, str], uri: Any) -> None:
    parts = uri.split("/") if isinstance(uri, str) else []
    # gpt://folder/model/branch
    _need(len(parts) >= 4 and parts[0] == "gpt:", "modelUri is no address of a model")
    if headers.get("x-folder-id", parts[2]) != parts[2]:
        raise Refused(403)
