"""Compares what the index holds after a chaos run with what the rule book says it should hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from bench.chaos_edits import MARK, Ledger
from explanation_service.content.template import Template, TemplateDraft
from explanation_service.indexing.chunker import Chunker, normalise_body
from explanation_service.indexing.encoder import PassageEncoder
from explanation_service.reconciliation.content_hash import content_hash
from explanation_service.stores.dead_letters import DeadLetter
from explanation_service.stores.vector_layout import DENSE

_PAGE = 500
# Qdrant normalises once more, in 32 bits.
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Wanted:
    """The points that a template must have: `labels` are their payload less what differs between
    them, `texts` and `vectors` one a passage; no vectors where they are not compared."""

    labels: Mapping[str, Any]
    texts: tuple[str, ...]
    vectors: tuple[tuple[float, ...], ...] = ()


@dataclass
class Verdict:
    """Template ids by what is wrong with them (event ids and marks for the dead letters)."""

    lost: set[str] = field(default_factory=set)
    """Published, and not or not wholly in the index."""
    stale: set[str] = field(default_factory=set)
    """In the index in other words, labels, versions or vectors than the rule book's."""
    resurrected: set[str] = field(default_factory=set)
    """In the index, though deleted, unpublished, poison or unknown."""
    duplicated: set[str] = field(default_factory=set)
    """With more points than passages."""
    forgotten: set[str] = field(default_factory=set)
    """The rule book itself does not hold what it had acknowledged."""
    poison_missing: set[str] = field(default_factory=set)
    """Poison that is not among the dead letters."""
    healthy_dead: set[str] = field(default_factory=set)
    """Dead letters that are no poison."""

    def rows(self) -> list[tuple[str, set[str]]]:
        """For the table."""
        return [
            ("lost", self.lost),
            ("stale", self.stale),
            ("resurrected", self.resurrected),
            ("duplicated", self.duplicated),
            ("forgotten by the rule book", self.forgotten),
            ("poison not among the dead letters", self.poison_missing),
            ("dead letters that are no poison", self.healthy_dead),
        ]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not any(found for _, found in self.rows())


def wanted_points(template: Template, encoder: PassageEncoder, vectors: bool) -> Wanted:
    """What the worker should have made of a template, computed anew."""
    chunker = Chunker(
        encoder.token_spans, encoder.info.max_tokens, len(encoder.passage_ids([""])[0])
    )
    chunks = chunker.split(template.title, normalise_body(template.body))
    ids = encoder.passage_ids([chunk.embedded_text for chunk in chunks])
    rows = encoder.embed(ids).tolist() if vectors else []
    labels = {
        "template_id": template.id,
        "version": template.version,
        "title": template.title,
        "chunks_total": len(chunks),
        "topic": template.topic,
        "exam": template.exam,
        "tags": list(template.tags) or None,
        "content_hash": content_hash(template, encoder.info.revision),
    }
    return Wanted(
        {name: value for name, value in labels.items() if value is not None},
        tuple(chunk.text for chunk in chunks),
        tuple(tuple(row) for row in rows),
    )


def judge_index(
    verdict: Verdict, wanted: Mapping[str, Wanted], points: Sequence[Mapping[str, Any]]
) -> None:
    """`points` as Qdrant's REST interface shows them, with payload and dense vector."""
    found: dict[str, dict[int, Mapping[str, Any]]] = {}
    for point in points:
        payload = point["payload"]
        of_template = found.setdefault(payload["template_id"], {})
        if payload["chunk_index"] in of_template:
            verdict.duplicated.add(payload["template_id"])
        of_template[payload["chunk_index"]] = point
    verdict.resurrected |= found.keys() - wanted.keys()
    for template_id, want in wanted.items():
        passages = found.get(template_id, {})
        numbers = set(range(len(want.texts)))
        if numbers - passages.keys():
            verdict.lost.add(template_id)
        if passages.keys() - numbers:
            verdict.duplicated.add(template_id)
        if not all(
            _is_right(want, number, passages[number]) for number in numbers & passages.keys()
        ):
            verdict.stale.add(template_id)


def _is_right(want: Wanted, number: int, point: Mapping[str, Any]) -> bool:
    payload = {**want.labels, "chunk_index": number, "text": want.texts[number]}
    if point["payload"] != payload:
        return False
    if not want.vectors:
        return True
    stored = point["vector"][DENSE]
    pairs = zip(stored, want.vectors[number], strict=True)
    return all(abs(one - other) < _TOLERANCE for one, other in pairs)


def judge_rule_book(verdict: Verdict, ledger: Ledger, stored: Mapping[str, Template]) -> None:
    """`stored`: every template that is not deleted."""
    for template_id, draft in ledger.written.items():
        now = stored.get(template_id)
        kept: TemplateDraft | None = None if now is None else now.draft()
        if kept != draft:
            verdict.forgotten.add(template_id)
    verdict.forgotten |= stored.keys() - ledger.written.keys()


def judge_dead_letters(verdict: Verdict, ledger: Ledger, letters: Sequence[DeadLetter]) -> None:
    """Every poison template, event and entry is there, and nothing else."""
    poison = [letter for letter in letters if ledger.is_poison(letter.fields)]
    ids = {letter.fields.get("entity_id") for letter in poison if MARK not in letter.fields}
    events = {letter.fields.get("event_id") for letter in poison}
    marks = {letter.fields.get(MARK) for letter in poison}
    verdict.poison_missing |= ledger.poison - ids
    verdict.poison_missing |= ledger.poison_events - events
    verdict.poison_missing |= ledger.malformed - marks
    verdict.healthy_dead |= {
        f"{letter.fields.get('entity_id')} ({letter.reason})"
        for letter in letters
        if not ledger.is_poison(letter.fields)
    }


async def all_points(qdrant_url: str, collection: str) -> list[dict[str, Any]]:
    """Everything in the index, past our own code."""
    points: list[dict[str, Any]] = []
    body: dict[str, Any] = {"limit": _PAGE, "with_payload": True, "with_vector": [DENSE]}
    async with httpx.AsyncClient(base_url=qdrant_url, timeout=30, trust_env=False) as client:
        while True:
            answer = await client.post(f"/collections/{collection}/points/scroll", json=body)
            result = answer.raise_for_status().json()["result"]
            points += result["points"]
            if result.get("next_page_offset") is None:
                return points
            body["offset"] = result["next_page_offset"]
