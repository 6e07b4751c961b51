from __future__ import annotations

import asyncio
from types import SimpleNamespace

from explanation_service.indexing.in_hand import InHand
from explanation_service.indexing.intake import Intake
from explanation_service.indexing.leases import keep_leases
from explanation_service.indexing.patience import Patience
from explanation_service.stores.errors import GroupMissing, StoreUnavailable


async def test_leases_are_renewed_through_failures_and_lost_ones_are_noticed(
    toys: SimpleNamespace,
) -> None:
    stream = toys.Stream(toys.Steps())
    for template_id in ("x", "y"):
        stream.append(template_id)
    in_hand = InHand()
    x, y = in_hand.admit(await Intake(stream, Patience()).sort_out(stream.hand_out(2)))
    answers = [StoreUnavailable("redis", "x"), GroupMissing("x"), ["1-0", "2-0"], ["2-0"]]
    asked = []

    async def renew(consumer: str, ids: list[str]) -> list[str]:
        asked.append(list(ids))
        answer = answers[len(asked) - 1] if len(asked) <= len(answers) else ids
        if isinstance(answer, Exception):
            raise answer
        return answer

    stream.renew = renew
    task = asyncio.create_task(keep_leases(stream, "c", in_hand, interval=0.001))
    while len(asked) < 6:
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert asked[:4] == [["1-0", "2-0"]] * 4
    assert x.abandoned and not y.abandoned
    assert in_hand.entry_ids() == ["2-0"]
