"""Yandex's own protocol: the `result` wrapper, integers as strings, cumulative streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from explanation_service.explanations.language_model import Completion, Prompt
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

BASE_URL = "https://llm.api.cloud.yandex.net"

_STATUS = "ALTERNATIVE_STATUS_"
_PARTIAL, _FINAL = _STATUS + "PARTIAL", _STATUS + "FINAL"
_TRUNCATED, _REFUSED = _STATUS + "TRUNCATED_FINAL", _STATUS + "CONTENT_FILTER"


class NativeWire:
    """foundationModels/v1/completion."""

    path = "/foundationModels/v1/completion"

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self.headers: Mapping[str, str] = {"x-folder-id": parameters.folder}

    def request(self, prompt: Prompt, *, stream: bool) -> dict[str, Any]:
        return {
            "modelUri": self._parameters.model_uri,
            "completionOptions": {
                "stream": stream,
                "temperature": self._parameters.temperature,
                "maxTokens": str(self._parameters.max_tokens),
            },
            "messages": [
                {"role": "system", "text": prompt.system},
                {"role": "user", "text": prompt.user},
            ],
        }

    def completion(self, document: Document) -> Completion:
        result = _result(document)
        text, status = _alternative(result)
        if status not in (_FINAL, _TRUNCATED):
            raise bad_answer(f"status {status}")
        truncated = status == _TRUNCATED
        version = result.get("modelVersion")
        return Completion(
            text=finished(text, truncated=truncated),
            model=self._parameters.model,
            version=version if isinstance(version, str) else "",
            usage=usage_of(result.get("usage"), "inputTextTokens", "completionTokens"),
            truncated=truncated,
        )

    def reader(self) -> _Reader:
        return _Reader(self)


class _Reader:
    """Every line repeats the text from its start."""

    def __init__(self, wire: NativeWire) -> None:
        self._wire = wire
        self._told = ""
        self._last: Document | None = None

    def read(self, line: str) -> str:
        document = parse_object(line)
        text, _ = _alternative(_result(document))
        self._last = document
        if not text.startswith(self._told):
            # What was shown cannot be taken back.
            raise bad_answer("the stream changed its text")
        new, self._told = text[len(self._told) :], text
        return new

    def end(self) -> Completion:
        if self._last is None:
            raise bad_answer("the stream is empty")
        if _alternative(_result(self._last))[1] == _PARTIAL:
            raise CallFailed("broken_off", "the stream ended before its text")
        return self._wire.completion(self._last)


def _result(document: Document) -> Document:
    """The reference omits the wrapper, the wire has it."""
    if "error" in document:
        raise failure_of_error(None, document["error"])
    result = document.get("result", document)
    if not isinstance(result, dict):
        raise bad_answer("result is no object")
    return result


def _alternative(result: Document) -> tuple[str, str]:
    """Text and status of the only alternative; raises CallFailed for a refusal."""
    alternative = first_of(result, "alternatives")
    status = text_of(alternative.get("status"), "status")
    if status == _REFUSED:
        raise refused()
    message = alternative.get("message")
    if not isinstance(message, dict):
        raise bad_answer("message is missing")
    return text_of(message.get("text"), "text"), status
