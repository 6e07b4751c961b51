"""Scores of ranked answers, and their table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.retrieval_questions import KINDS, Question

# Answers beyond this place count as not found.
DEPTH = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What one mode found for one question: template ids, best first, in `milliseconds`."""

    mode: str
    question: Question
    found: tuple[str, ...]
    milliseconds: float

    @property
    def rank(self) -> int | None:
        """The place of the first right template, from 1."""
        return self.question.rank_in(self.found)


@dataclass(frozen=True, slots=True)
class Score:
    """Shares from 0 to 1; MRR@10 is the mean of 1/rank, 0 below place 10 (Voorhees 1999)."""

    mode: str
    slice: str
    questions: int
    hit_at_1: float
    hit_at_3: float
    mrr_at_10: float
    p50_ms: float
    p95_ms: float


def score(mode: str, slice_name: str, answers: Sequence[Answer]) -> Score:
    """The score of at least one answer."""
    ranks = [answer.rank for answer in answers]
    times = sorted(answer.milliseconds for answer in answers)
    count = len(answers)
    return Score(
        mode,
        slice_name,
        count,
        sum(rank == 1 for rank in ranks) / count,
        sum(rank is not None and rank <= 3 for rank in ranks) / count,
        sum(1 / rank for rank in ranks if rank is not None and rank <= DEPTH) / count,
        _percentile(times, 0.5),
        _percentile(times, 0.95),
    )


def score_slices(answers: Sequence[Answer]) -> list[Score]:
    """Every mode over all questions, then over each kind and each half."""
    slices = ("all", *KINDS, "odd", "even")
    scores = []
    for name in slices:
        for mode in dict.fromkeys(answer.mode for answer in answers):
            some = [
                one
                for one in answers
                if one.mode == mode and name in ("all", one.question.kind, one.question.half)
            ]
            if some:
                scores.append(score(mode, name, some))
    return scores


def table(scores: Sequence[Score]) -> Iterator[str]:
    """One line a score, under a line of headings."""
    yield (
        f"{'slice':<11}{'mode':<9}{'n':>4}{'hit@1':>7}{'hit@3':>7}{'MRR@10':>8}"
        f"{'p50 ms':>8}{'p95 ms':>8}"
    )
    for one in scores:
        yield (
            f"{one.slice:<11}{one.mode:<9}{one.questions:>4}{one.hit_at_1:>7.2f}"
            f"{one.hit_at_3:>7.2f}{one.mrr_at_10:>8.3f}{one.p50_ms:>8.1f}{one.p95_ms:>8.1f}"
        )


def misses(answers: Sequence[Answer], mode: str) -> Iterator[str]:
    """The questions whose first answer of a mode is wrong, one line each."""
    for one in answers:
        if one.mode == mode and one.rank != 1:
            got = one.found[0] if one.found else "nothing"
            place = "-" if one.rank is None else str(one.rank)
            yield (
                f"miss {one.question.source}:{one.question.number} {one.question.kind} | "
                f"{one.question.text} | "
                f"expected {one.question.template_id} (place {place}) | got {got}"
            )


def as_json(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """The scores as plain objects."""
    return [asdict(one) for one in scores]


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
