"""What a store can fail with; no exception of a driver leaves this package."""

from __future__ import annotations


class StoreError(Exception):
    """Anything that a store reports."""


class StoreUnavailable(StoreError):
    """The store did not answer, or says that it cannot serve now: try again later.

    `name` is "redis", "mongodb" or "qdrant"; `detail` is the driver's own words on one line.
    """

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name} is unavailable: {detail}")
        self.name = name
        self.detail = detail


class CollectionMissing(StoreUnavailable):
    """Qdrant has no such collection (yet): `VectorIndex.ensure_collection` makes it."""

    def __init__(self, collection: str) -> None:
        super().__init__("qdrant", f"there is no collection {collection}")
        self.collection = collection


class StoreRejected(StoreError):
    """The store answered and refused this very request: trying again does not help."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name} rejected the request: {detail}")
        self.name = name
        self.detail = detail


class ConditionFailed(StoreError):
    """A template is not in the state that its writer asked for; nothing was written."""


class ModelMismatch(StoreError):
    """The collection in use holds vectors of another model than the one that is loaded."""


class IndexMoved(StoreError):
    """The alias points at another collection than the one that is written to: what is written
    there now would not be found. `VectorIndex.ensure_collection` looks at the alias anew."""


class GroupMissing(StoreError):
    """The consumer group is not there (NOGROUP): call `EventStream.ensure_group`, reconcile."""


class HistoryLost(StoreError):
    """MongoDB cannot say (any more) what changed since a position: reconcile, start anew."""


class LeaseLost(StoreError):
    """Somebody else leads now, or Redis has forgotten us: leave the work to the holder."""


def one_line(error: BaseException) -> str:
    """The text of an exception as one line of at most 300 characters, for logs and messages."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
