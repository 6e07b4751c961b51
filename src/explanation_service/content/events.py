"""The event of a changed template, and its flat form in the Redis Stream.

An event is a pointer: it says that a template changed, never how. Who reads it looks the
template up, so events may come late, twice or out of order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from explanation_service.content.template import TemplateId, UtcDatetime


class MalformedEvent(ValueError):
    """The fields of a stream entry are no event; `reason` says which field and why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ContentEvent(BaseModel):
    """One change of one entity. Unknown fields are ignored, for events of later versions."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    event_id: Annotated[str, Field(min_length=1, max_length=128)]
    entity: Literal["template"] = "template"
    entity_id: TemplateId
    op: Literal["upsert", "delete"]
    version: Annotated[int, Field(ge=1)]
    occurred_at: UtcDatetime
    traceparent: str | None = None

    def to_fields(self) -> dict[str, str]:
        """The fields of the stream entry; what says nothing is left out."""
        fields = {
            "event_id": self.event_id,
            "entity": self.entity,
            "entity_id": self.entity_id,
            "op": self.op,
            "version": str(self.version),
            "occurred_at": self.occurred_at.isoformat(timespec="milliseconds"),
        }
        if self.traceparent is not None:
            fields["traceparent"] = self.traceparent
        return fields

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Self:
        """The event in the fields of a stream entry; raises MalformedEvent."""
        if "entity" not in fields:
            raise MalformedEvent("entity: field is missing")
        try:
            return cls.model_validate(dict(fields))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = ".".join(str(part) for part in first["loc"]) or "event"
            why = "field is missing" if first["type"] == "missing" else first["msg"]
            raise MalformedEvent(f"{name}: {why}") from None


def parse_event(fields: Mapping[str, str]) -> ContentEvent:
    """The event in the fields of a stream entry; raises MalformedEvent."""
    return ContentEvent.from_fields(fields)
