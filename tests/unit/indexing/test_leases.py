from __future__ import annotations

import asyncio
from types import SimpleNamespace

from explanation_service.indexing.in_hand import InHand
from explanation_service.indexing.intake import Intake
from explanation_service.indexing.leases import Leases
from explanation_service.indexing.patience import Patience
from explanation_service.stores.errors import GroupMissing, StoreUnavailable


async def test_leases_are_renewed_through_failures_and_lost_ones_are_noticed(
    toys: SimpleNamespace,
) -> None:
    stream = toys.Stream(toys.Steps())
    for template_id in ("x", "y"):
        stream.publish(template_id)
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
    task = asyncio.create_task(Leases(stream, "c", in_hand, interval=0.001).run())
    while len(asked) < 6:
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert asked[:4] == [["1-0", "2-0"]] * 4
    assert x.abandoned and not y.abandoned
    assert in_hand.entry_ids() == ["2-0"]


async def test_only_old_knowledge_is_confirmed(toys: SimpleNamespace) -> None:
    stream = toys.Stream(toys.Steps())
    stream.publish("x")
    in_hand = InHand()
    (work,) = in_hand.admit(await Intake(stream, Patience()).sort_out(stream.hand_out(1)))
    leases = Leases(stream, "c", in_hand, lease=1000)
    asked = []
    renew = stream.renew

    async def noted(consumer: str, ids: list[str]) -> list[str]:
        asked.append(ids)
        return await renew(consumer, ids)

    stream.renew = noted
    await leases.confirm([work])
    assert asked == []
    work.requests[0].held_at -= 700
    await leases.confirm([work])
    await leases.confirm([work])
    assert asked == [["1-0"]] and not work.abandoned
    work.requests[0].held_at -= 700
    stream.pending["1-0"].owner = "d"
    await leases.confirm([work])
    assert work.abandoned
    await leases.confirm([work])


async def test_without_a_group_nothing_is_leased(toys: SimpleNamespace) -> None:
    stream = toys.Stream(toys.Steps())
    stream.publish("x")
    in_hand = InHand()
    (work,) = in_hand.admit(await Intake(stream, Patience()).sort_out(stream.hand_out(1)))
    stream.lose()
    await Leases(stream, "c", in_hand, lease=0).confirm([work])
    assert work.abandoned


async def test_leases_count_from_the_read_on(toys: SimpleNamespace) -> None:
    stream = toys.Stream(toys.Steps())
    stream.publish("x")
    in_hand = InHand()
    requests = await Intake(stream, Patience()).sort_out(stream.hand_out(1), taken_at=5.0)
    (work,) = in_hand.admit(requests)
    assert work.held_at == 5.0
