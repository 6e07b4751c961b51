"""A template: one rule of the rule book, as editors write it and as the service keeps it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

TEMPLATE_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


def is_template_id(text: object) -> bool:
    """Whether this can be the id of a template; other programs write what they like."""
    return isinstance(text, str) and re.fullmatch(TEMPLATE_ID_PATTERN, text) is not None


# Whatever Python, ECMAScript or Unicode count as white space: the checks of clients, generated from
# the OpenAPI document, come to the same conclusion as ours.
NOT_BLANK_PATTERN = r"[^\s\u001c-\u001f\u0085\ufeff]"
_NOT_BLANK = re.compile(NOT_BLANK_PATTERN)


def not_blank(text: str) -> str:
    """The text; raises ValueError when it is blank."""
    if not _NOT_BLANK.search(text):
        raise ValueError("must hold more than white space")
    return text


# For the OpenAPI document. Not pydantic's `pattern`: that one has other white space.
NOT_BLANK_SCHEMA: JsonDict = {"pattern": NOT_BLANK_PATTERN}


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


TemplateId = Annotated[str, Field(pattern=TEMPLATE_ID_PATTERN)]
UtcDatetime = Annotated[datetime, AfterValidator(_in_utc)]
Tag = Annotated[
    str,
    Field(min_length=1, max_length=64, json_schema_extra=NOT_BLANK_SCHEMA),
    AfterValidator(not_blank),
]


class TemplateDraft(BaseModel):
    """What an editor writes: the body of a PUT. Fields it does not know are ignored."""

    model_config = ConfigDict(frozen=True)

    title: Annotated[
        str,
        Field(min_length=1, max_length=300, json_schema_extra=NOT_BLANK_SCHEMA),
        AfterValidator(not_blank),
    ]
    body: Annotated[
        str,
        Field(min_length=1, max_length=100_000, json_schema_extra=NOT_BLANK_SCHEMA),
        AfterValidator(not_blank),
    ]
    topic: Annotated[str, Field(max_length=100)] | None = None
    exam: Annotated[str, Field(max_length=100)] | None = None
    tags: Annotated[tuple[Tag, ...], Field(max_length=32)] = ()
    status: Literal["published", "draft"] = "published"


class Template(TemplateDraft):
    """A draft that was stored: `version` grows by one with every write, deletes included."""

    id: TemplateId
    version: Annotated[int, Field(ge=1)]
    updated_at: UtcDatetime

    def draft(self) -> TemplateDraft:
        """The part that an editor wrote, to be compared with another draft."""
        written = self.model_dump(include=set(TemplateDraft.model_fields))
        return TemplateDraft.model_validate(written)
