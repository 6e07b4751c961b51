"""ETag and the conditions on it (RFC 9110, 13.1): a template's tag is its version in quotes."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from fastapi import Header

from explanation_service.stores.write_condition import WriteCondition

_TAG = re.compile(r'(?P<weak>W/)?"(?P<opaque>[\x21\x23-\x7e\x80-\xff]*)"')
# Digits that MongoDB's whole numbers hold.
_VERSION = re.compile(r"[1-9][0-9]{0,17}")

IfMatch: TypeAlias = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=1000,
        description='Only if the template is at one of these versions: an ETag such as "3"; * is '
        "any version",
        examples=['"3"'],
    ),
]
IfNoneMatch: TypeAlias = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        max_length=1000,
        description="An ETag that the caller has; the answer is 304 while it is the current one",
        examples=['"3"'],
    ),
]
CreateOnly: TypeAlias = Annotated[
    Literal["*"] | None,
    Header(alias="If-None-Match", description="*: only if there is no such template yet"),
]


def etag(version: int) -> str:
    """The ETag of a template at this version."""
    return f'"{version}"'


def write_condition(if_match: str | None, create_only: str | None = None) -> WriteCondition:
    """What the headers of a write ask for."""
    exists, versions = None, None
    if if_match is not None:
        exists = True
        if if_match.strip() != "*":
            # A weak tag never matches a write, as RFC 9110 has it.
            versions = frozenset(_versions(if_match, weak=False))
    if create_only is not None:
        # Together with If-Match nothing can hold.
        exists, versions = (False, versions) if exists is None else (True, frozenset())
    return WriteCondition(exists, versions)


def is_current(if_none_match: str | None, version: int) -> bool:
    """Whether the caller of a read has this version already."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or version in _versions(if_none_match, weak=True)


def _versions(header: str, *, weak: bool) -> list[int]:
    """The versions in a list of tags; tags that no template of ours bears are left out."""
    return [
        int(match["opaque"])
        for match in _TAG.finditer(header)
        if (weak or not match["weak"]) and _VERSION.fullmatch(match["opaque"])
    ]
