"""Bodies of /health and /health/ready."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from explanation_service.api.schemas.problem import Problem


class Health(BaseModel):
    """The process serves."""

    status: Literal["ok"] = "ok"
    version: str


class DependencyState(BaseModel):
    """One dependency as it was a moment ago."""

    status: Literal["ok", "down", "none"]
    needed: Annotated[bool, Field(description="Whether the API is unready without it")]
    latency_ms: float | None = None
    detail: str | None = None


class Readiness(BaseModel):
    """All dependencies by name."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "ready": True,
                "dependencies": {
                    "mongodb": {"status": "ok", "needed": True, "latency_ms": 0.7},
                    "redis": {"status": "ok", "needed": True, "latency_ms": 0.3},
                    "qdrant": {"status": "ok", "needed": True, "latency_ms": 1.1},
                    "workers": {"status": "none", "needed": False},
                },
            }
        }
    )

    ready: bool
    dependencies: dict[str, DependencyState]


class NotReady(Problem):
    """The problem of a service that is not ready, with the state of each dependency."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Service Unavailable",
                "status": 503,
                "detail": "Not ready: redis unavailable.",
                "code": "not_ready",
                "request_id": "0b1f6d6f3a6c4f0f9a4f2c6d8e7a5b43",
                "ready": False,
                "dependencies": {
                    "mongodb": {"status": "ok", "needed": True, "latency_ms": 0.7},
                    "redis": {"status": "down", "needed": True, "detail": "redis does not answer"},
                    "qdrant": {"status": "ok", "needed": True, "latency_ms": 1.1},
                    "workers": {"status": "none", "needed": False},
                },
            }
        }
    )

    ready: Literal[False]
    dependencies: dict[str, DependencyState]
