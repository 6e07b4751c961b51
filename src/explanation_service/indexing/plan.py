"""What is to be done about one template, and what the index gets if it is to be embedded."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum

from explanation_service.indexing.chunker import Chunk
from explanation_service.indexing.encoder import Tokens
from explanation_service.indexing.in_hand import Request, Work
from explanation_service.reconciliation.content_hash import same_text
from explanation_service.stores.mongodb import StoredTemplate
from explanation_service.stores.records import (
    IndexedState,
    LabelChange,
    PassagePoint,
    SparseVector,
)


class Action(Enum):
    """The values are the outcomes in embed_events_total."""

    KEEP = "current"
    """The index holds this very version, or rightly nothing."""
    NOTE_VERSION = "unchanged"
    """A new version that says the same: its number is noted, nothing is embedded."""
    RELABEL = "relabelled"
    """The same text under other labels (topic, exam, tags): nothing is embedded."""
    EMBED = "embedded"
    REMOVE = "removed"


@dataclass
class PlannedChunk:
    """One passage on its way: tokens for the model, then the vector that came out."""

    chunk: Chunk
    ids: Tokens
    lexical: SparseVector
    vector: list[float] | None = None
    failure: BaseException | None = None


@dataclass
class Plan:
    """One template as it was read from MongoDB at `read_at` (monotonic seconds)."""

    work: Work
    stored: StoredTemplate | None
    action: Action
    answered: list[Request]
    """The requests that had come in before the template was read."""
    content_hash: str = ""
    before: IndexedState | None = None
    """What the index held; read after MongoDB."""
    chunks: list[PlannedChunk] = field(default_factory=list)
    read_at: float = field(default_factory=time.monotonic)

    @property
    def version(self) -> int:
        """The version that was read; 0 for a template that never was."""
        return 0 if self.stored is None else self.stored.version

    @property
    def up_to(self) -> int:
        """The highest version that the plan may replace."""
        return max(self.version, 0 if self.before is None else self.before.version)

    @property
    def behind(self) -> bool:
        """Whether the index held a higher version than the one that was read: either MongoDB has
        moved meanwhile, or somebody set its version back past this service."""
        return self.up_to > self.version

    @property
    def embedded(self) -> bool:
        """Whether every chunk has its vector."""
        return all(chunk.vector is not None for chunk in self.chunks)

    @property
    def failure(self) -> BaseException | None:
        """Why a chunk has no vector, where its encoding failed."""
        failures = (chunk.failure for chunk in self.chunks if chunk.vector is None)
        return next((failure for failure in failures if failure is not None), None)

    def is_still(self, stored: StoredTemplate | None) -> bool:
        """Whether a later reading shows the same, text and all: who edits MongoDB directly may
        leave version and time as they are."""
        return stored == self.stored

    @property
    def chunks_after(self) -> int:
        """How many chunks the index holds of the template when the plan is carried out."""
        if self.action is Action.EMBED:
            return len(self.chunks)
        return 0 if self.action is Action.REMOVE or self.before is None else self.before.chunks

    def must_trim(self) -> bool:
        """Whether chunks above ours may be left in the index: a longer version was there, or
        somebody may have died (or been overtaken) between writing and trimming."""
        if self.work.careful or self.before is None:
            return self.work.careful
        return not self.before.exact or self.before.chunks > self.chunks_after

    def is_carried_out(self, state: IndexedState | None) -> bool:
        """Whether the index shows what was planned."""
        if self.action is Action.REMOVE or state is None:
            return self.action is Action.REMOVE and state is None
        return state == IndexedState(self.version, self.content_hash, self.chunks_after)

    def new_labels(self) -> LabelChange:
        """The change of a plan that keeps the text."""
        template = self.stored.template if self.stored is not None else None
        if template is None or self.before is None:
            raise ValueError(f"{self.work.template_id} has nothing to label")
        return LabelChange(
            template_id=self.work.template_id,
            found_hash=self.before.content_hash,
            up_to=self.up_to,
            version=template.version,
            content_hash=self.content_hash,
            topic=template.topic,
            exam=template.exam,
            tags=template.tags,
        )

    def points(self) -> list[PassagePoint]:
        """The points of an embedded plan."""
        template = self.stored.template if self.stored is not None else None
        if template is None:
            raise ValueError(f"{self.work.template_id} has nothing to embed")
        return [
            PassagePoint(
                template_id=self.work.template_id,
                chunk_index=index,
                chunks_total=len(self.chunks),
                version=template.version,
                content_hash=self.content_hash,
                title=template.title,
                text=planned.chunk.text,
                topic=template.topic,
                exam=template.exam,
                tags=template.tags,
                dense=planned.vector or [],
                lexical=planned.lexical,
            )
            for index, planned in enumerate(self.chunks)
        ]


def decide(
    work: Work, stored: StoredTemplate | None, state: IndexedState | None, new_hash: str
) -> Action:
    """What a template as stored, beside what the index holds of it, calls for."""
    if not is_searchable(stored):
        return Action.REMOVE if work.careful or state is not None else Action.KEEP
    if stored is None or state is None or not state.complete:
        return Action.EMBED
    if state.content_hash != new_hash:
        return Action.RELABEL if same_text(state.content_hash, new_hash) else Action.EMBED
    if work.careful or not state.exact or state.version != stored.version:
        return Action.NOTE_VERSION
    return Action.KEEP


def is_searchable(stored: StoredTemplate | None) -> bool:
    """Drafts, tombstones and documents that are no templates stay out of the index."""
    return stored is not None and stored.searchable
