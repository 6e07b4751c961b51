"""The one form in which a query is cached, asked of a worker and embedded."""

from __future__ import annotations

import unicodedata

# Longer texts are cut: the model reads 512 tokens at most, and the memory of a transformer grows
# with long strings that have no spaces (sentence-transformers 1795).
MAX_QUERY_CHARACTERS = 4000


def normalise_query(text: str) -> str:
    """NFC, white space collapsed to single spaces, cut to MAX_QUERY_CHARACTERS.

    The case is kept: multilingual-e5 tells "Роман" from "роман". Both sides of the embedding
    channel call this, so that a cache key never depends on who computed it.
    """
    return " ".join(unicodedata.normalize("NFC", text).split())[:MAX_QUERY_CHARACTERS].rstrip()
