"""The journal survives what kills its writer, and says where to go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.scripts.migration.journal import (
    BACK,
    FORWARD,
    MIGRATED,
    NONE,
    ROLLED_BACK,
    Journal,
    Locked,
)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def test_without_a_journal_nothing_was_begun(journal: Journal) -> None:
    assert journal.state().phase == NONE


def test_a_killed_run_goes_on_at_the_step_that_was_not_done(journal: Journal) -> None:
    journal.write("migration", "begun")
    journal.write("baseline", "begun")
    journal.write("baseline", "done", facts={"error_rate": 0.25})
    journal.write("start_pair", "begun")
    state = journal.state()
    assert state.phase == FORWARD
    assert state.done == {"baseline"}
    assert state.begun == {"baseline", "start_pair"}
    assert state.facts == {"error_rate": 0.25}


def test_a_rollback_goes_on_as_a_rollback(journal: Journal) -> None:
    journal.write("migration", "begun")
    journal.write("switch", "begun")
    journal.write("rollback", "begun", reason="too many errors", automatic=True)
    state = journal.state()
    assert (state.phase, state.reason, state.automatic) == (BACK, "too many errors", True)
    assert "switch" in state.begun
    journal.write("rollback", "done")
    assert journal.state().phase == ROLLED_BACK


def test_the_next_migration_starts_from_nothing(journal: Journal) -> None:
    journal.write("migration", "begun")
    journal.write("switch", "done", facts={"error_rate": 0.5})
    journal.write("migration", "done")
    assert journal.state().phase == MIGRATED
    journal.write("rollback", "begun", reason="asked for", automatic=False)
    journal.write("rollback", "done")
    journal.write("migration", "begun")
    state = journal.state()
    assert (state.phase, state.done, state.begun, state.facts) == (FORWARD, set(), set(), {})


def test_a_line_that_was_not_finished_is_none(journal: Journal) -> None:
    journal.write("migration", "begun")
    with journal.path.open("a") as file:
        file.write('{"at": "2026-01-01T00:00:00Z", "step": "basel')
    assert journal.state().phase == FORWARD
    journal.write("baseline", "done")
    assert journal.state().done == {"baseline"}
    assert len(journal.entries()) == 2


def test_one_at_a_time(tmp_path: Path) -> None:
    first, second = Journal(tmp_path / "state"), Journal(tmp_path / "state")
    with first.held(), pytest.raises(Locked), second.held():
        pytest.fail("held twice")
    with second.held():
        pass
