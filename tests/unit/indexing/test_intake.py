from __future__ import annotations

from types import SimpleNamespace

import pytest

from explanation_service.indexing.intake import MAX_DELIVERIES, GrowingCount, Intake
from explanation_service.indexing.patience import Patience
from explanation_service.stores.records import Delivery


async def test_the_sixth_delivery_is_set_aside_unseen(toys: SimpleNamespace) -> None:
    stream = toys.Stream(toys.Steps())
    stream.publish("x")
    (one,) = stream.hand_out(1)
    intake = Intake(stream, Patience())
    fifth = Delivery(one.entry_id, one.fields, MAX_DELIVERIES)
    assert len(await intake.sort_out([fifth])) == 1 and stream.dead == []
    sixth = Delivery(one.entry_id, one.fields, MAX_DELIVERIES + 1)
    assert await intake.sort_out([sixth]) == []
    assert stream.dead == [("1-0", "max_deliveries")]


@pytest.mark.parametrize("fields", [{}, {"entity": "template"}, {"entity": "pupil"}])
async def test_what_is_no_event_is_set_aside_at_once(
    toys: SimpleNamespace, fields: dict[str, str]
) -> None:
    stream = toys.Stream(toys.Steps())
    stream.publish("x")
    stream.waiting.insert(0, Delivery("9-0", fields, 1))
    requests = await Intake(stream, Patience()).sort_out(stream.hand_out(2))
    assert [one.entry_id for one in requests] == ["1-0"]
    assert stream.dead == [("9-0", "malformed")]


def test_counts_grow_with_full_answers_only() -> None:
    count = GrowingCount(16, 256)
    seen = []
    for received in (16, 32, 64, 128, 256, 256, 3):
        count.note(received)
        seen.append(count.count)
    assert seen == [32, 64, 128, 256, 256, 256, 16]
    stubborn = GrowingCount(1, 64, shrink=False)
    stubborn.note(1)
    stubborn.note(0)
    assert stubborn.count == 2


async def test_what_went_with_its_group_needs_no_burial(toys: SimpleNamespace) -> None:
    stream = toys.Stream(toys.Steps())
    stream.lose()
    assert await Intake(stream, Patience()).sort_out([Delivery("9-0", {}, 1)]) == []
