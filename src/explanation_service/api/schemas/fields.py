"""Fields that several bodies have in common."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.config import JsonDict

MAX_TEXT = 4000


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must hold more than white space")
    return text


def blank_is_none(value: Any) -> Any:
    """For optional fields: what was left blank counts as absent."""
    return None if isinstance(value, str) and not value.strip() else value


# For the OpenAPI document; Python's own idea of white space decides.
NOT_BLANK: JsonDict = {"pattern": r"\S"}

Text: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=MAX_TEXT, json_schema_extra=NOT_BLANK),
    AfterValidator(_not_blank),
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
