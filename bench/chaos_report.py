"""What a chaos run prints at its end."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.chaos_faults import WORKER_KILLED
from bench.chaos_recovery import Recovery
from bench.chaos_verdict import Verdict

_NAMED = 5


@dataclass(frozen=True)
class Seconds:
    """Of the writing, with all faults; and from then until all was done."""

    writing: float
    draining: float


@dataclass(frozen=True)
class Totals:
    """Counts. `lethal_ends`: workers that a poisoned text had killed; `own_ends`: how others ended
    that nobody had killed."""

    events: int
    templates: int
    poison: int
    dead_letters: int
    points: int
    seconds: Seconds
    lethal_ends: int
    own_ends: Sequence[str]


def table(recoveries: Sequence[Recovery]) -> list[str]:
    """One line a fault; the many kills of workers in one."""
    lines = [
        f"{'fault':<28}{'at':>8}{'lasted':>9}{'in hand':>9}{'done after':>12}"
        f"{'edit seen after':>17}",
        *(
            f"{one.fault:<28}{one.at:>6.1f} s{one.lasted:>7.1f} s{one.in_hand:>9}"
            f"{_seconds(one.after):>12}{_edit(one):>17}"
            for one in recoveries
            if one.fault != WORKER_KILLED
        ),
    ]
    kills = [one for one in recoveries if one.fault == WORKER_KILLED]
    after = sorted(one.after for one in kills if one.after is not None)
    if after:
        held = [one.in_hand for one in kills]
        lines.append(
            f"{WORKER_KILLED}, {len(kills)} times: in hand {statistics.median(held):.0f} (median), "
            f"{max(held)} (most); done after {statistics.median(after):.1f} s (median), "
            f"{after[int(0.95 * (len(after) - 1))]:.1f} s (p95), {after[-1]:.1f} s (most)"
        )
    if unfinished := sum(not one.complete for one in recoveries):
        lines.append(f"never recovered from: {unfinished} faults")
    lines.append(
        "in hand: events, poison aside, not acknowledged at the fault's end (of a worker: those it "
        "held);"
    )
    lines.append(
        "done after: from the fault's end until all of these were acknowledged, however many more "
        "workers were killed;"
    )
    lines.append("edit seen after: from the fault's end until an edit made then was searchable.")
    return lines


def summary(totals: Totals, verdict: Verdict) -> list[str]:
    """The totals, and what must be zero."""
    writing, draining = totals.seconds.writing, totals.seconds.draining
    lines = [
        f"{totals.events} events of {totals.templates} templates in {writing:.0f} s, all done "
        f"{draining:.0f} s later: {totals.events / (writing + draining):.1f} events/s; "
        f"{totals.points} points, {totals.poison} poison, {totals.dead_letters} dead letters",
        f"workers killed by a poisoned text: {totals.lethal_ends}",
    ]
    rows = [("workers that ended by themselves", totals.own_ends)]
    rows += [(name, sorted(found)) for name, found in verdict.rows()]
    return lines + [f"{name:<36}{len(found):>5} {_some(found)}".rstrip() for name, found in rows]


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def _edit(recovery: Recovery) -> str:
    return _seconds(recovery.searchable) if recovery.probed else ""


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
