"""The quality gate: does the new collection find as well as the one in use?

Asked in each lane that holds a model's vectors: the meaning alone ("dense"), and fused with the
words as the API fuses them ("hybrid"). Titles are found by their words whatever the model is worth,
so the hybrid lane alone would let a model through that says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from explanation_service.indexing.patience import Patience
from explanation_service.indexing.rebuild.questions import Question
from explanation_service.retrieval.fusion import fuse
from explanation_service.retrieval.lexical import encode_query
from explanation_service.retrieval.search import FUSION_DEPTH
from explanation_service.stores.records import Candidate, SearchFilters
from explanation_service.stores.vector_search import VectorSearch

LANES = ("dense", "hybrid")
# Answers that a pupil sees without scrolling.
DEPTH = 3
# Rounding must not decide.
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Score:
    """Shares of the questions, from 0 to 1, whose right template was first, and among the first
    three."""

    hit_at_1: float
    hit_at_3: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """One lane: what must be reached (before the tolerance), and what the new collection reaches;
    `old` is None where there was nothing to compare with."""

    lane: str
    old: Score | None
    new: Score
    wanted: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the new collection is good enough in this lane."""
        return self.new.hit_at_3 >= self.wanted - self.tolerance - _EPSILON


def judge(
    old: Mapping[str, Score] | None,
    new: Mapping[str, Score],
    tolerance: float,
    at_least: float | None,
) -> list[Verdict]:
    """A verdict on each lane; `at_least` goes before what the old collection reaches."""
    verdicts = []
    for lane in LANES:
        before = None if old is None else old[lane]
        if at_least is not None:
            verdicts.append(Verdict(lane, before, new[lane], at_least, 0.0))
        else:
            wanted = 0.0 if before is None else before.hit_at_3
            verdicts.append(Verdict(lane, before, new[lane], wanted, tolerance))
    return verdicts


async def measure(
    index: VectorSearch,
    questions: Sequence[Question],
    vectors: Mapping[str, Sequence[float]],
    weights: tuple[float, float],
    patience: Patience,
) -> dict[str, Score]:
    """By lane: how well a collection answers the questions; `vectors` by the question's text,
    `weights` of the lanes in the fusion (dense, lexical)."""
    ranks: dict[str, list[int | None]] = {lane: [] for lane in LANES}
    for question in questions:
        found = await _ask(index, question.text, vectors[question.text], weights, patience)
        for lane, best in found.items():
            ranks[lane].append(question.rank_in(one.template_id for one in best))
    return {lane: _score(found) for lane, found in ranks.items()}


async def _ask(
    index: VectorSearch,
    text: str,
    vector: Sequence[float],
    weights: tuple[float, float],
    patience: Patience,
) -> dict[str, list[Candidate]]:
    words = encode_query(text)
    found = await patience.through(
        lambda: index.search(vector, words, SearchFilters(), FUSION_DEPTH)
    )
    fused = found.dense
    if found.lexical:
        fused = fuse(found.dense, found.lexical, DEPTH, weights, FUSION_DEPTH)
    return {"dense": found.dense[:DEPTH], "hybrid": fused[:DEPTH]}


def _score(ranks: Sequence[int | None]) -> Score:
    count = max(1, len(ranks))
    first = sum(rank == 1 for rank in ranks)
    return Score(first / count, sum(rank is not None for rank in ranks) / count)


def table(verdicts: Sequence[Verdict], questions: int) -> str:
    """For the terminal."""
    lines = [f"{questions} questions    old @1   @3    new @1   @3   wanted"]
    for verdict in verdicts:
        old = "   -      -  " if verdict.old is None else _pair(verdict.old)
        wanted = f"{verdict.wanted - verdict.tolerance:.3f}"
        word = "ok" if verdict.passed else "too few"
        lines.append(f"{verdict.lane:<14} {old}   {_pair(verdict.new)}   {wanted} {word}")
    return "\n".join(lines)


def _pair(score: Score) -> str:
    return f"{score.hit_at_1:.3f}  {score.hit_at_3:.3f}"
