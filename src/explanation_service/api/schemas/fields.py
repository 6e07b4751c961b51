"""Fields that several bodies have in common."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

MAX_TEXT = 4000


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must hold more than white space")
    return text


Text: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(_not_blank)
]
Label: TypeAlias = Annotated[str, Field(min_length=1, max_length=100)]
Tag: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
Tags: TypeAlias = Annotated[list[Tag], Field(max_length=32)]
Mode: TypeAlias = Literal["hybrid", "dense", "lexical"]
