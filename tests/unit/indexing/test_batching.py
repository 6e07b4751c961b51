from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from explanation_service.indexing.batching import BATCH_OVERHEAD_TOKENS, plan_batches

lengths_of_texts = st.lists(st.integers(1, 600), max_size=80)
budgets = st.integers(32, 1024)


@given(lengths_of_texts, budgets)
def test_every_text_is_in_exactly_one_batch(lengths: list[int], budget: int) -> None:
    positions = [at for batch in plan_batches(lengths, budget) for at in batch.positions]
    assert sorted(positions) == list(range(len(lengths)))


@given(lengths_of_texts, budgets)
def test_the_budget_is_kept_padding_included(lengths: list[int], budget: int) -> None:
    for batch in plan_batches(lengths, budget):
        longest = max(lengths[at] for at in batch.positions)
        assert batch.padded_tokens == longest * len(batch.positions)
        assert batch.tokens == sum(lengths[at] for at in batch.positions)
        assert batch.padded_tokens <= budget or len(batch.positions) == 1


@given(lengths_of_texts, budgets)
def test_the_order_is_restored_by_the_positions(lengths: list[int], budget: int) -> None:
    restored = [0] * len(lengths)
    for batch in plan_batches(lengths, budget):
        for at in batch.positions:
            restored[at] = lengths[at]
    assert restored == lengths


@given(lengths_of_texts, budgets)
def test_no_greedy_cut_is_cheaper(lengths: list[int], budget: int) -> None:
    greedy = 0
    left = sorted(lengths, reverse=True)
    while left:
        count = max(1, budget // left[0])
        batch, left = left[:count], left[count:]
        greedy += batch[0] * len(batch) + BATCH_OVERHEAD_TOKENS
    planned = plan_batches(lengths, budget)
    cost = sum(batch.padded_tokens + BATCH_OVERHEAD_TOKENS for batch in planned)
    assert cost <= greedy


@given(lengths_of_texts, budgets)
def test_the_longest_come_first(lengths: list[int], budget: int) -> None:
    longest = [max(lengths[at] for at in b.positions) for b in plan_batches(lengths, budget)]
    assert longest == sorted(longest, reverse=True)


def test_empty_texts_count_as_one_token() -> None:
    assert len(plan_batches([0, 0], 32)) == 1
