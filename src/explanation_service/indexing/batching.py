"""Cuts a set of texts into batches that waste little padding and keep a query's wait short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# What one more batch costs beside its tokens, as a number of tokens. With multilingual-e5-small on
# 2 cores a batch of one token takes 5 ms in bfloat16, every further token 0.065 ms; in float32 7 ms
# and 0.22 ms.
BATCH_OVERHEAD_TOKENS = 60


@dataclass(frozen=True)
class Batch:
    """Positions of the texts in the caller's sequence, and the batch's size in tokens."""

    positions: tuple[int, ...]
    tokens: int
    """Tokens of the texts themselves."""
    padded_tokens: int
    """Longest text times the number of texts: what the model computes."""


def plan_batches(lengths: Sequence[int], max_tokens: int) -> list[Batch]:
    """Batches over texts of the given token lengths, every text in exactly one, longest first.

    Every batch keeps longest * count <= max_tokens, but for a text longer than max_tokens, which
    has a batch of its own. Among all cuts of the length-sorted sequence the one with the least
    padded tokens plus overhead is taken (shortest path over the cut positions, O(n * b) for
    batches of at most b texts). Longest first: a memory peak shows in the first batch.
    """
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    ordered = [max(1, lengths[position]) for position in order]
    total = len(order)
    # cheapest[i]: least cost of the texts from i on; cut[i]: where the batch that starts at i ends.
    cheapest = [0] * (total + 1)
    cut = [total] * (total + 1)
    for start in range(total - 1, -1, -1):
        longest = ordered[start]
        largest_end = min(total, start + max(1, max_tokens // longest))
        best_cost, best_end = -1, start + 1
        for end in range(start + 1, largest_end + 1):
            cost = BATCH_OVERHEAD_TOKENS + longest * (end - start) + cheapest[end]
            if best_cost < 0 or cost <= best_cost:
                best_cost, best_end = cost, end
        cheapest[start], cut[start] = best_cost, best_end
    batches = []
    start = 0
    while start < total:
        end = cut[start]
        batches.append(
            Batch(
                positions=tuple(order[start:end]),
                tokens=sum(ordered[start:end]),
                padded_tokens=ordered[start] * (end - start),
            )
        )
        start = end
    return batches
