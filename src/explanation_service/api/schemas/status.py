"""Bodies of /v1/rag/status and /v1/rag/reindex."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from explanation_service.content.template import TemplateId


class WorkerStatus(BaseModel):
    """A worker with a heartbeat in the last 5 s."""

    consumer: str
    role: str
    model: str
    revision: str
    ready: bool


class RagStatus(BaseModel):
    """The index and what is on its way into it; null where the store that knows is away."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "collection": "templates_e5-small-1",
                "model": "intfloat/multilingual-e5-small",
                "model_revision": "e5-small-1",
                "points": 131,
                "stream_length": 84,
                "stream_lag": 0,
                "pending": 0,
                "oldest_pending_seconds": 0.0,
                "dead_letters": 0,
                "live_workers": 1,
                "workers": [],
                "unavailable": [],
            }
        }
    )

    collection: Annotated[str | None, Field(description="Null before the first worker ran")] = None
    model: str | None = None
    model_revision: str | None = None
    points: Annotated[int | None, Field(description="Passages in the index")] = None
    stream_length: int | None = None
    stream_lag: Annotated[int | None, Field(description="Events no worker has had")] = None
    pending: Annotated[int | None, Field(description="Events in the hands of workers")] = None
    oldest_pending_seconds: float | None = None
    dead_letters: int | None = None
    live_workers: int | None = None
    workers: list[WorkerStatus] = []
    unavailable: Annotated[list[str], Field(description="Stores that did not answer")] = []


class ReindexRequest(BaseModel):
    """Either some templates or all of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"template_ids": ["spelling-checked-root-vowels"]},
            # No oneOf: generators of clients make nameless models of it, and lose the fields.
            "if": {"required": ["all"], "properties": {"all": {"const": True}}},
            "then": {"properties": {"template_ids": {"type": "null"}}},
            "else": {
                "required": ["template_ids"],
                "properties": {"template_ids": {"type": "array"}},
            },
        }
    )

    template_ids: Annotated[list[TemplateId], Field(min_length=1, max_length=1000)] | None = None
    all: StrictBool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.all == (self.template_ids is not None):
            raise ValueError("give either template_ids or all=true")
        return self


class ReindexResponse(BaseModel):
    """How many events were appended to the stream; ids that were never used are listed."""

    enqueued: int
    unknown: list[str] = []
