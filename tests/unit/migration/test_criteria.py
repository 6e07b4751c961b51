"""When the pair may not stay: each criterion just below its limit and at it."""

from __future__ import annotations

import pytest

from infra.scripts.migration.criteria import (
    ENOUGH_REQUESTS,
    FAILED_IN_A_ROW,
    CanaryClock,
    ErrorRate,
    Probes,
    Stall,
)


def rate_after(requests: int, errors: int, baseline: float = 0.0) -> ErrorRate:
    rate = ErrorRate(baseline, 0.01, "answers")
    # What the process had counted before does not matter.
    rate.observe(0, 5000, 700)
    rate.observe(10, 5000 + requests, 700 + errors)
    return rate


@pytest.mark.parametrize(
    ("requests", "errors", "baseline", "bad"),
    [
        (1000, 10, 0.0, False),
        (1000, 11, 0.0, True),
        (1000, 30, 0.02, False),
        (1000, 31, 0.02, True),
        (ENOUGH_REQUESTS - 1, ENOUGH_REQUESTS - 1, 0.0, False),
        (ENOUGH_REQUESTS, 2, 0.0, True),
        (0, 0, 0.0, False),
    ],
)
def test_errors_against_the_baseline(
    requests: int, errors: int, baseline: float, bad: bool
) -> None:
    assert (rate_after(requests, errors, baseline).fault() is not None) == bad


def test_old_errors_are_forgotten_after_a_minute() -> None:
    rate = rate_after(200, 100)
    assert rate.fault() is not None
    rate.observe(40, 5300, 800)
    assert rate.fault() is not None
    rate.observe(71, 5600, 800)
    assert rate.fault() is None


def test_a_process_that_starts_anew_counts_from_nothing() -> None:
    rate = ErrorRate(0.0, 0.01, "answers")
    rate.observe(0, 9000, 9000)
    rate.observe(5, 200, 0)
    assert rate.window() == (200, 0)
    rate.observe(10, 400, 50)
    assert rate.window() == (400, 50)
    assert rate.fault() is not None


def test_an_api_that_does_not_answer_is_noticed_by_probes_in_a_row() -> None:
    probes = Probes(0.0, 0.01)
    for number in range(FAILED_IN_A_ROW - 1):
        probes.observe(number, "no answer")
    assert probes.fault() is None
    probes.observe(20, None)
    for number in range(FAILED_IN_A_ROW):
        assert probes.fault() is None
        probes.observe(30 + number, "refused")
    assert "refused" in (probes.fault() or "")


def test_probes_that_fail_now_and_then_count_as_a_share() -> None:
    probes = Probes(0.0, 0.01)
    for number in range(ENOUGH_REQUESTS):
        assert probes.fault() is None
        probes.observe(number / 2, "503" if number % 40 == 20 else None)
    assert "of this script" in (probes.fault() or "")


def test_events_that_wait_and_are_not_finished() -> None:
    stall = Stall(300)
    stall.observe(0, 5, 10)
    stall.observe(299, 5, 10)
    assert stall.fault() is None
    stall.observe(300, 7, 10)
    assert "7 events wait" in (stall.fault() or "")
    # One that is finished, and everything starts anew.
    stall.observe(301, 6, 11)
    assert stall.fault() is None
    assert stall.moved_at == 301


def test_nothing_waits_nothing_stalls() -> None:
    stall = Stall(300)
    for now in range(0, 2000, 100):
        stall.observe(now, 0, None)
        assert stall.fault() is None
    # The first event after a quiet time is no stall.
    stall.observe(2000, 1, None)
    assert stall.fault() is None
    stall.observe(2300, 1, None)
    assert stall.fault() is not None


def test_what_cannot_be_read_is_neither_lag_nor_progress() -> None:
    stall = Stall(300)
    stall.observe(0, 3, 10)
    stall.observe(100, None, None)
    # The worker started anew: fewer than before is no progress.
    stall.observe(200, None, 0)
    stall.observe(301, 3, 0)
    assert stall.fault() is not None


def test_a_test_template_is_late() -> None:
    clock = CanaryClock(60)
    clock.written(0, waiting=0, processed=10)
    assert not clock.late(59, 10, moved_at=0)
    assert clock.late(60, 10, moved_at=0)


def test_behind_a_backlog_it_is_not_late_while_that_gets_shorter() -> None:
    clock = CanaryClock(60)
    clock.written(0, waiting=500, processed=10)
    assert not clock.late(100, 200, moved_at=99)
    assert clock.late(100, 200, moved_at=30)
    # Its turn has come and gone.
    assert clock.late(100, 510, moved_at=99)
