"""How a collection is named: after the alias that it serves and the model that made its vectors."""

from __future__ import annotations

import re


def collection_for(alias: str, revision: str, generation: int = 1) -> str:
    """The collection that holds the vectors of one revision of the model: ALIAS_REVISION, and
    ALIAS_REVISION_N for later generations (the same model, texts cut in another way)."""
    name = f"{alias}_{re.sub(r'[^A-Za-z0-9-]', '-', revision)}"
    return name if generation == 1 else f"{name}_{generation}"


def revision_of(alias: str, collection: str) -> str | None:
    """The model revision whose vectors a collection holds; None for a name of another kind.

    A revision has no underscore, so whatever follows one (the number of a generation) is not its.
    """
    if not collection.startswith(f"{alias}_"):
        return None
    return collection.removeprefix(f"{alias}_").partition("_")[0] or None


def is_of_model(alias: str, collection: str, revision: str) -> bool:
    """Whether a collection is one of this model's generations."""
    return revision_of(alias, collection) == revision_of(alias, collection_for(alias, revision))
