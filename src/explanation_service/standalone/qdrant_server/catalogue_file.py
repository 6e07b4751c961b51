"""The file that says which collections and aliases there are."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel
from qdrant_client.http import models


class StoredCollection(BaseModel):
    """`folder` is a name of its own, so that a collection made anew never meets old files."""

    folder: str
    definition: models.CreateCollection


class StoredCatalogue(BaseModel):
    collections: dict[str, StoredCollection] = {}
    aliases: dict[str, str] = {}


def read(path: Path) -> StoredCatalogue:
    """An absent file is an empty catalogue."""
    if not path.exists():
        return StoredCatalogue()
    return StoredCatalogue.model_validate_json(path.read_bytes())


def write(path: Path, catalogue: StoredCatalogue) -> None:
    """Whole or not at all, and on the disk when this returns."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(catalogue.model_dump_json(exclude_none=True).encode())
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
