from __future__ import annotations

import pytest

from explanation_service.indexing.rebuild.faults import RebuildFault
from explanation_service.indexing.rebuild.target import choose_target, is_open
from explanation_service.stores.rebuild_states import Phase, RebuildState


def state(phase: Phase, collection: str = "t_new", revision: str = "new") -> RebuildState:
    return RebuildState(collection, revision, phase)


def test_another_model_has_a_collection_of_its_own() -> None:
    assert choose_target("t", "new", "t_old", None, force=False) == "t_new"
    assert choose_target("t", "v1.0_b", "t_old", None, force=False) == "t_v1-0-b"


def test_what_did_not_come_to_its_end_is_taken_up() -> None:
    for phase in ("filling", "refused", "rolled_back", "switching"):
        found = choose_target("t", "new", "t_old", state(phase, "t_new_3"), force=False)
        assert found == "t_new_3", phase
    # Died between the switch and its end.
    assert choose_target("t", "new", "t_new", state("switching"), force=False) == "t_new"


def test_a_run_of_another_model_does_not_count() -> None:
    open_run = state("filling", "t_other", "other")
    assert choose_target("t", "new", "t_old", open_run, force=False) == "t_new"


def test_the_same_model_only_by_force_and_then_the_next_generation() -> None:
    for served in ("t_new", "t_new_2"):
        with pytest.raises(RebuildFault, match="--force"):
            choose_target("t", "new", served, state("switched"), force=False)
    assert choose_target("t", "new", "t_new", None, force=True) == "t_new_2"
    assert choose_target("t", "new", "t_new_2", None, force=True) == "t_new"


def test_without_an_index_there_is_nothing_to_rebuild() -> None:
    with pytest.raises(RebuildFault, match="no index"):
        choose_target("t", "new", None, None, force=True)


def test_open_until_the_end_of_the_switch() -> None:
    assert is_open(state("filling"), "t_old")
    assert is_open(state("switching"), "t_new")
    assert not is_open(state("switched"), "t_new")
    assert not is_open(state("switched"), "t_old")
