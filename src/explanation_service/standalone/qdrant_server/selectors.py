"""Which part of a point an answer carries."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge
from qdrant_client.http import models


def payload(wire: Any, default: bool) -> Any:
    """`with_payload`: true, false, a list of keys, or include/exclude."""
    match wire:
        case None:
            return default
        case models.PayloadSelectorInclude():
            return edge.PayloadSelector.Include(wire.include)
        case models.PayloadSelectorExclude():
            return edge.PayloadSelector.Exclude(wire.exclude)
    return wire


def vector(wire: bool | list[str] | None) -> bool | list[str]:
    """`with_vector`: true, false or a list of names; absent means none."""
    return False if wire is None else wire
