"""Tasks end, even those that lose a cancellation."""

from __future__ import annotations

import asyncio

from explanation_service.indexing.tasks import end


async def test_a_task_that_loses_its_first_cancellation_ends_all_the_same() -> None:
    lost = 0

    async def deaf_once() -> None:
        nonlocal lost
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            lost += 1
        await asyncio.sleep(60)

    task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    await asyncio.wait_for(end(task), 5)
    assert lost == 1
    assert task.cancelled()


async def test_tasks_that_have_ended_or_failed_are_no_obstacle() -> None:
    async def fails() -> None:
        raise ValueError

    ended, failed = asyncio.create_task(asyncio.sleep(0)), asyncio.create_task(fails())
    await asyncio.wait({ended, failed})
    await asyncio.wait_for(end(ended, failed), 5)


async def test_nothing_to_end() -> None:
    await end()
