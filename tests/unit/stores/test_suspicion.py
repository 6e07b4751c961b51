"""Who kills its worker must not take its neighbours along to the dead letters."""

from __future__ import annotations

import pytest

from explanation_service.stores.suspicion import together


@pytest.mark.parametrize(
    ("deliveries", "at_once"),
    [
        ([], 0),
        ([1], 1),
        ([5], 1),
        # Handed back, and forgiven.
        ([0, 0], 2),
        ([1] * 70, 64),
        ([2] * 70, 8),
        ([3] * 70, 1),
        ([1] * 5 + [2] * 70, 8),
        ([1] * 20 + [2] * 70, 20),
        ([1] * 20 + [3], 20),
        ([3, 1, 1], 1),
    ],
)
def test_the_more_deliveries_the_less_company(deliveries: list[int], at_once: int) -> None:
    assert together(deliveries) == at_once


def test_only_the_killer_reaches_its_last_delivery() -> None:
    """A whole batch is delivered again and again, until the killer has been five times."""
    most = 5
    killer = 13
    counts = dict.fromkeys(range(40), 1)
    while counts.get(killer, most) < most:
        taken = list(counts)[: together(counts.values())]
        for entry in taken:
            counts[entry] += 1
        if killer not in taken:
            for entry in taken:
                del counts[entry]
    assert max(times for entry, times in counts.items() if entry != killer) <= 3
