"""The plain records that pass between the stores and the rest of the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class SparseVector:
    """A sparse vector: `indices` (uint32, each once) and their `values`, of the same length."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class EmbeddingModelInfo:
    """The model behind the dense vectors; `revision` changes whenever its vectors would."""

    name: str
    revision: str
    dimension: int
    max_tokens: int
    query_prefix: str = ""
    passage_prefix: str = ""


@dataclass(frozen=True, slots=True)
class SearchFilters:
    """Only passages with this topic, this exam and at least one of these tags; None: any."""

    topic: str | None = None
    exam: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PassagePoint:
    """One chunk of one template as it is stored in the index; `dense` is L2-normalised."""

    template_id: str
    chunk_index: int
    chunks_total: int
    version: int
    content_hash: str
    title: str
    text: str
    topic: str | None
    exam: str | None
    tags: tuple[str, ...]
    dense: list[float]
    lexical: SparseVector


class Candidate(NamedTuple):
    """The passage that stands for a template in a lane: where it lies, without its text; `score` as
    in Passage."""

    template_id: str
    point_id: int | str
    score: float


@dataclass(frozen=True, slots=True)
class Passage:
    """One hit of a search; `score` compares only within one answer (its scale is the mode's)."""

    template_id: str
    chunk_index: int
    version: int
    title: str
    text: str
    topic: str | None
    exam: str | None
    tags: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True)
class IndexedState:
    """What the index holds of a template, over all of its points.

    `version` is the highest that any of them bears; `content_hash` and `chunks` are what chunk 0
    says ("" and 0 where it is missing).
    """

    version: int
    content_hash: str
    chunks: int
    complete: bool = True
    """Every chunk from 0 to `chunks` - 1 is there with this hash and this number of chunks."""
    exact: bool = True
    """Complete, all in one version, and nothing besides."""


@dataclass(frozen=True, slots=True)
class LabelChange:
    """New labels for the chunks of a template whose text stays: those that bear `found_hash` and
    no version above `up_to`."""

    template_id: str
    found_hash: str
    up_to: int
    version: int
    content_hash: str
    topic: str | None
    exam: str | None
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One entry of the stream handed to a consumer; `times_delivered` includes this time."""

    entry_id: str
    fields: Mapping[str, str] = field(default_factory=dict)
    times_delivered: int = 1


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """The stream and its group at one moment.

    `lag`: entries not yet delivered to anyone; `pending`: delivered, not acknowledged;
    `oldest_pending_seconds`: since the oldest pending entry was appended, 0.0 when none is.
    """

    length: int
    lag: int
    pending: int
    oldest_pending_seconds: float
    consumers: int
    dead_letters: int


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """A query whose vector the API asks for; `deadline_ms` is Unix time in milliseconds."""

    id: str
    text: str
    revision: str | None
    deadline_ms: int
    reply_to: str


@dataclass(frozen=True, slots=True)
class QueryReply:
    """The vector of the request `id`, made by the model `revision`."""

    id: str
    revision: str
    vector: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class WorkerState:
    """The last heartbeat of a worker that is alive; `role` is "all", "index" or "query"."""

    consumer: str
    role: str
    revision: str
    model: str
    dimension: int
    ready: bool
