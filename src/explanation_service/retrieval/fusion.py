"""Makes one list of the dense and the lexical one, by template.

Ranks alone (RRF) say nothing of how far apart two neighbours are, and Qdrant fuses points: a
template whose best passages differ between the lanes gets neither's support. Standard scores of
the best passages found the right rule first for 87% of 210 questions where RRF in Qdrant found 85%
(bench/data, multilingual-e5-small; the lanes alone: 73% and 83%).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from explanation_service.stores.records import Candidate


def fuse(
    dense: Sequence[Candidate],
    lexical: Sequence[Candidate],
    limit: int,
    weights: tuple[float, float] = (1.0, 1.0),
    depth: int = 0,
) -> list[Candidate]:
    """The best `limit` templates of both lists, best first, each once, by the weighted sum of
    their standard scores (dense, lexical).

    A template that one lane did not find counts there as the last that it found; where the lexical
    lane found fewer than the `depth` asked of it, the others share no term with the question, and
    count as its 0. The passage is that of the lane in which the template stands out more; its score
    is in 0..1 and compares only within the answer.
    """
    lanes = [
        (weight, _standard_scores(found, floor), {one.template_id: one for one in found})
        for weight, found, floor in zip(
            weights, (dense, lexical), (None, 0.0 if len(lexical) < depth else None), strict=True
        )
        if found
    ]
    totals: dict[str, float] = {}
    shown: dict[str, tuple[float, Candidate]] = {}
    for candidate in (*dense, *lexical):
        key = candidate.template_id
        if key in totals:
            continue
        totals[key] = sum(
            weight * scores.get(key, missing) for weight, (scores, missing), _ in lanes
        )
        shown[key] = max(
            ((scores[key], found[key]) for _, (scores, _), found in lanes if key in scores),
            key=lambda standing: standing[0],
        )
    best = sorted(totals, key=lambda key: -totals[key])[:limit]
    return [shown[key][1]._replace(score=_to_unit(totals[key])) for key in best]


def _standard_scores(
    found: Sequence[Candidate], floor: float | None
) -> tuple[dict[str, float], float]:
    """By template: how many standard deviations its score lies above the list's mean; and that of
    a template not in the list, whose score is `floor`, or the last one's when that is None."""
    scores = [candidate.score for candidate in found]
    unfound = min(scores) if floor is None else floor
    if floor is not None:
        scores.append(floor)
    mean = sum(scores) / len(scores)
    deviation = math.sqrt(sum((score - mean) ** 2 for score in scores) / len(scores)) or 1.0
    standard = {one.template_id: (one.score - mean) / deviation for one in found}
    return standard, (unfound - mean) / deviation


def _to_unit(total: float) -> float:
    return round(1 / (1 + math.exp(-max(-30.0, min(30.0, total)))), 6)
