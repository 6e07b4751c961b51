from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from explanation_service.indexing.chunker import Chunk
from explanation_service.indexing.embedder import GROUP_SIZE, Embedder
from explanation_service.indexing.in_hand import Work
from explanation_service.indexing.plan import Action, Plan, PlannedChunk
from explanation_service.stores.records import SparseVector


class Direct:
    """The encode thread's lane without a thread."""

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder

    async def embed_passages(self, ids: Any) -> Any:
        return self.encoder.embed(ids)


def plan(name: str, lengths: list[int], token: int = 7) -> Plan:
    chunks = [
        PlannedChunk(Chunk("", 0, 0, ""), [token] * length, SparseVector((), ()))
        for length in lengths
    ]
    return Plan(Work(name), None, Action.EMBED, [], chunks=chunks)


async def groups_of(embedder: Embedder, plans: list[Plan], **kwargs: Any) -> list[list[Plan]]:
    return [group async for group in embedder.embed(plans, **kwargs)]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(1, 64), min_size=1, max_size=5), max_size=80))
async def test_each_plan_comes_out_once_and_complete(
    toys: SimpleNamespace, shapes: list[list[int]]
) -> None:
    plans = [plan(str(n), lengths) for n, lengths in enumerate(shapes)]
    groups = await groups_of(Embedder(Direct(toys.Encoder()), 128), plans)  # type: ignore[arg-type]
    assert sorted(int(p.work.template_id) for g in groups for p in g) == list(range(len(plans)))
    assert all(p.embedded for p in plans)


async def test_what_needs_no_embedding_comes_first(toys: SimpleNamespace) -> None:
    kept = Plan(Work("k"), None, Action.KEEP, [])
    embedder = Embedder(Direct(toys.Encoder()), 128)  # type: ignore[arg-type]
    first, second = await groups_of(embedder, [plan("a", [3]), kept])
    assert [p.work.template_id for p in first] == ["k"]
    assert [p.work.template_id for p in second] == ["a"]


async def test_finished_templates_do_not_wait_for_the_whole_round(toys: SimpleNamespace) -> None:
    embedder = Embedder(Direct(toys.Encoder()), 64)  # type: ignore[arg-type]
    groups = await groups_of(embedder, [plan(str(n), [8]) for n in range(100)])
    assert len(groups) == -(-100 // GROUP_SIZE) and len(groups[0]) >= GROUP_SIZE


async def test_a_poison_text_spoils_its_own_plan_only(toys: SimpleNamespace) -> None:
    plans = [plan("a", [3]), plan("bad", [3], token=666), plan("c", [3])]
    await groups_of(Embedder(Direct(toys.Encoder()), 128), plans)  # type: ignore[arg-type]
    assert [p.embedded for p in plans] == [True, False, True]


async def test_giving_up_computes_nothing_more(toys: SimpleNamespace) -> None:
    encoder = toys.Encoder()
    plans = [plan("a", [3])]
    groups = await groups_of(Embedder(Direct(encoder), 128), plans, give_up=lambda: True)  # type: ignore[arg-type]
    assert groups == [plans] and not plans[0].embedded and encoder.batches == []


async def test_a_vector_that_is_not_finite_is_a_failure(
    toys: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = toys.Encoder()
    original = encoder.embed
    monkeypatch.setattr(encoder, "embed", lambda ids: original(ids) * float("nan"))
    plans = [plan("a", [3])]
    await groups_of(Embedder(Direct(encoder), 128), plans)  # type: ignore[arg-type]
    assert not plans[0].embedded
