"""Fields that several bodies have in common."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from explanation_service.content.template import NOT_BLANK_SCHEMA, not_blank

MAX_TEXT = 4000


def blank_is_none(value: Any) -> Any:
    """For optional fields: what was left blank counts as absent."""
    return None if isinstance(value, str) and not value.strip() else value


Text: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=MAX_TEXT, json_schema_extra=NOT_BLANK_SCHEMA),
    AfterValidator(not_blank),
]
Tag: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
Tags: TypeAlias = Annotated[list[Tag], Field(max_length=32)]
Mode: TypeAlias = Literal["hybrid", "dense", "lexical"]

# What a pupil left blank arrives as "": it is no reason to refuse the request.
OptionalText: TypeAlias = Annotated[
    Annotated[str, Field(max_length=MAX_TEXT)] | None, BeforeValidator(blank_is_none)
]
OptionalLabel: TypeAlias = Annotated[
    Annotated[str, Field(max_length=100)] | None, BeforeValidator(blank_is_none)
]
