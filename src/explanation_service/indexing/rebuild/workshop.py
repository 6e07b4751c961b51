"""What a rebuild works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from explanation_service.indexing.connections import Connections
from explanation_service.indexing.encode_thread import EncodeThread
from explanation_service.indexing.encoder import PassageEncoder
from explanation_service.indexing.rebuild.options import Options
from explanation_service.stores.embedding_channel import QueryEmbeddingClient
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.forgotten_groups import rebuild_stream
from explanation_service.stores.index_collections import IndexCollections
from explanation_service.stores.rebuild_states import RebuildStates


@dataclass(frozen=True)
class Workshop:
    """The stores, the new model, the options; `say` prints a line for whoever watches.

    `weights` of the lanes in a search: dense, lexical.
    """

    connections: Connections
    collections: IndexCollections
    states: RebuildStates
    encoder: PassageEncoder
    thread: EncodeThread
    max_batch_tokens: int
    weights: tuple[float, float]
    options: Options
    stopped: Callable[[], bool]
    say: Callable[[str], None]

    @property
    def asking(self) -> QueryEmbeddingClient:
        """For query vectors of the model in use."""
        return QueryEmbeddingClient(self.connections.redis, self.connections.waiting[1])

    def stream_for(self, collection: str) -> EventStream:
        """The stream as the rebuild of a collection reads it."""
        return rebuild_stream(self.connections.waiting_stream, collection)
