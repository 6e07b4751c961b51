"""Which pages of other origins may call the API from a browser: none unless the settings say so."""

from __future__ import annotations

from typing import Any

from explanation_service.settings import Settings

_REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-API-Key",
    "X-Request-ID",
    "traceparent",
)
_ANSWER_HEADERS = ("ETag", "Idempotency-Replayed", "Link", "Retry-After", "X-Request-ID")


def cors_options(settings: Settings) -> dict[str, Any]:
    """For Starlette's CORSMiddleware. Keys are sent in headers, so no cookie has to pass."""
    return {
        "allow_origins": list(settings.cors_allow_origins),
        "allow_methods": ["GET", "POST", "PUT", "DELETE"],
        "allow_headers": list(_REQUEST_HEADERS),
        "expose_headers": list(_ANSWER_HEADERS),
        "allow_credentials": False,
        "max_age": 600,
    }
