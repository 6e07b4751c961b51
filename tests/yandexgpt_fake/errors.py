"""Yandex's error bodies."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

_GRPC = {400: 3, 401: 16, 403: 7, 404: 5, 429: 8, 500: 13, 503: 14, 504: 4}
_MESSAGES = {
    401: "Unknown api key '****'",
    403: "Permission to [resource-manager.folder *, user *] denied",
    429: "ai.textGenerationCompletionSessionsCount.count gauge quota limit exceed: "
    "allowed {quota} requests",
    500: "Internal server error",
    503: "upstream connect error or disconnect/reset before headers",
    504: "Deadline Exceeded",
}


class Refused(Exception):
    """A request that gets an error instead of a generation."""

    def __init__(self, status: int, message: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def error_document(status: int, message: str | None = None, quota: int = 10) -> dict[str, Any]:
    """The body of an error with Yandex's four fields."""
    text = message or _MESSAGES.get(status, HTTPStatus(status).phrase)
    return {
        "error": {
            "grpcCode": _GRPC.get(status, 13 if status >= 500 else 3),
            "httpCode": status,
            "message": text.format(quota=quota),
            "httpStatus": HTTPStatus(status).phrase,
            "details": [],
        }
    }


def html_page(status: int) -> bytes:
    """What a proxy in front of the service says."""
    phrase = HTTPStatus(status).phrase
    return (
        f"<html>\r\n<head><title>{status} {phrase}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {phrase}</h1></center>\r\n<hr><center>nginx</center>\r\n"
        "</body>\r\n</html>\r\n"
    ).encode()


def as_bytes(document: dict[str, Any]) -> bytes:
    """As the service writes it: no spaces, Russian as it is."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
