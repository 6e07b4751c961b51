"""Bodies of /health and /health/ready."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


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
    """All dependencies by name; with 503 the same, as members of a problem."""

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
