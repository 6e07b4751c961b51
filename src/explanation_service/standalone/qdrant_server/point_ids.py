"""Point ids: unsigned 64-bit integers or UUIDs, in the forms of JSON and of the engine."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from explanation_service.standalone.qdrant_server.faults import BadInput

WireId = int | str | UUID
EngineId = int | UUID


def to_engine(value: WireId) -> EngineId:
    """Raises BadInput for a negative number or a text that is no UUID."""
    if isinstance(value, UUID):
        return value
    if isinstance(value, int):
        if not 0 <= value < 2**64:
            raise BadInput(f"value {value} is not a valid point ID")
        return value
    try:
        return UUID(value)
    except ValueError:
        raise BadInput(
            f"value {value} is not a valid point ID, "
            "valid values are either an unsigned integer or a UUID"
        ) from None


def all_to_engine(values: Iterable[WireId]) -> list[EngineId]:
    return [to_engine(value) for value in values]


def from_engine(value: WireId) -> int | str:
    return value if isinstance(value, int) else str(value)


def from_path(text: str) -> EngineId:
    """An id out of a URL, where a number is digits."""
    return to_engine(int(text) if text.isascii() and text.isdigit() else text)
