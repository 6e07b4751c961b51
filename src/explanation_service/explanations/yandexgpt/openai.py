"""The endpoint that speaks OpenAI's protocol: chat/completions, streams of server-sent events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from explanation_service.explanations.language_model import Completion, Prompt
from explanation_service.explanations.records import Usage
from explanation_service.explanations.yandexgpt.failures import CallFailed, bad_answer, refused
from explanation_service.explanations.yandexgpt.wire import (
    Document,
    Parameters,
    failure_of_error,
    finished,
    first_of,
    parse_object,
    text_of,
    usage_of,
)

BASE_URL = "https://ai.api.cloud.yandex.net/v1"

_REFUSED, _TRUNCATED = "content_filter", "length"


class OpenAiWire:
    """chat/completions."""

    path = "/chat/completions"

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        # x-folder-id too: whichever of the two a gateway goes by.
        self.headers: Mapping[str, str] = {
            "OpenAI-Project": parameters.folder,
            "x-folder-id": parameters.folder,
        }

    def request(self, prompt: Prompt, *, stream: bool) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._parameters.model_uri,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
            "temperature": self._parameters.temperature,
            "max_tokens": self._parameters.max_tokens,
            "stream": stream,
        }
        if stream:
            # Else a stream says nothing of its tokens.
            body["stream_options"] = {"include_usage": True}
        return body

    def completion(self, document: Document) -> Completion:
        _raise_error(document)
        choice = first_of(document, "choices")
        message = choice.get("message")
        if not isinstance(message, dict):
            raise bad_answer("message is missing")
        reason = choice.get("finish_reason")
        if reason == _REFUSED:
            raise refused()
        truncated = reason == _TRUNCATED
        return Completion(
            text=finished(text_of(message.get("content"), "content"), truncated=truncated),
            model=self._parameters.model,
            version=_version(document),
            usage=usage_of(document.get("usage"), "prompt_tokens", "completion_tokens"),
            truncated=truncated,
        )

    def reader(self) -> _Reader:
        return _Reader(self._parameters.model)


class _Reader:
    """Each event brings the next piece; the last but one brings the reason of the end."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._text = ""
        self._reason: str | None = None
        self._version = ""
        self._usage = Usage(0, 0)

    def read(self, line: str) -> str:
        name, _, data = line.partition(":")
        if name != "data" or not data.strip() or data.strip() == "[DONE]":
            # A comment that keeps the connection alive, an event's name, the end.
            return ""
        document = parse_object(data)
        _raise_error(document)
        self._version = self._version or _version(document)
        if isinstance(document.get("usage"), dict):
            self._usage = usage_of(document["usage"], "prompt_tokens", "completion_tokens")
        if not document.get("choices"):
            return ""
        choice = first_of(document, "choices")
        self._reason = choice.get("finish_reason") or self._reason
        if self._reason == _REFUSED:
            raise refused()
        delta = choice.get("delta")
        piece = delta.get("content") if isinstance(delta, dict) else None
        new = "" if piece is None else text_of(piece, "content")
        self._text += new
        return new

    def end(self) -> Completion:
        if self._reason is None:
            raise CallFailed("broken_off", "the stream ended before its text")
        truncated = self._reason == _TRUNCATED
        text = finished(self._text, truncated=truncated)
        return Completion(text, self._model, self._version, self._usage, truncated)


def _raise_error(document: Document) -> None:
    if document.get("error") is not None:
        raise failure_of_error(None, document["error"])


def _version(document: Document) -> str:
    """What it calls `model` is the model that answered, branch and version included."""
    model = document.get("model")
    return model if isinstance(model, str) else ""
