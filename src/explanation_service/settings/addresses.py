"""What may be said of a store's address: where it is, never who asks."""

from __future__ import annotations

from explanation_service.settings.model import Settings


def places_of_stores(settings: Settings) -> dict[str, str | None]:
    """By the store's name, as `place_of` says it."""
    return {
        "redis": place_of(settings.redis_url),
        "mongodb": place_of(settings.mongodb_uri),
        "qdrant": place_of(settings.qdrant_url),
    }


def place_of(address: str) -> str | None:
    """The hosts and ports of a URL as it names them, or the path of a socket; without user,
    password, database and options.

    None where they cannot be told apart from a password for certain: an "@" behind the first "/"
    or "?" may belong to a password that was not encoded.
    """
    _scheme, _, rest = address.partition("://")
    end = next((at for at, sign in enumerate(rest) if sign in "/?#"), len(rest))
    authority, behind = rest[:end], rest[end:]
    if "@" in behind:
        return None
    return authority.rpartition("@")[2] or behind.partition("?")[0] or None
