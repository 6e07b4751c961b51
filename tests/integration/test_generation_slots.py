"""The slots that all replicas share, in a real Redis: a model of them, processes, kill -9."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import time
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from explanation_service.explanations.yandexgpt.slots import Slots
from explanation_service.settings import Settings
from explanation_service.standalone.program import python_environment
from explanation_service.stores.generation_slots import GenerationSlots
from explanation_service.stores.redis import close, connect_redis

PATIENCE = 60.0
TOKENS = [f"t{number}" for number in range(6)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["acquire", "release", "renew"]),
        st.sampled_from(TOKENS),
        st.sets(st.sampled_from(TOKENS), max_size=2),
    ),
    max_size=40,
)


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, limit=st.integers(0, 4))
def test_any_history_agrees_with_the_model(redis_url: str, steps, limit: int) -> None:
    async def history() -> None:
        redis = connect_redis(Settings(redis_url=redis_url))
        slots = GenerationSlots(redis, uuid4().hex, limit, lease_seconds=600)
        held: set[str] = set()
        for step, token, others in steps:
            if step == "acquire":
                held |= others
                expected = token in held or len(held) < limit
                assert await slots.acquire(token, sorted(others)) is expected
                if expected:
                    held.add(token)
            elif step == "renew":
                await slots.renew([token])
                held.add(token)
            else:
                await slots.release(token)
                held.discard(token)
            assert await slots.taken() == len(held)
        await close(redis)

    asyncio.run(history())


async def test_a_lease_runs_out_by_the_clock_of_redis(settings: Settings) -> None:
    redis = connect_redis(settings)
    slots = GenerationSlots(redis, uuid4().hex, 1, lease_seconds=0.3)
    assert await slots.acquire("killed")
    started = time.monotonic()
    async with asyncio.timeout(PATIENCE):
        while not await slots.acquire("next"):
            await asyncio.sleep(0.02)
    assert time.monotonic() - started > 0.2
    await close(redis)


async def test_what_is_renewed_stays_and_what_lingers_goes(settings: Settings) -> None:
    redis = connect_redis(settings)
    slots = GenerationSlots(redis, uuid4().hex, 1, lease_seconds=600)
    assert await slots.acquire("broken off")
    await slots.release("broken off", 0.3)
    assert not await slots.acquire("next")
    async with asyncio.timeout(PATIENCE):
        while not await slots.acquire("next"):
            await asyncio.sleep(0.02)
    # What had gone is not brought back by a release that comes late.
    await slots.release("broken off", 600)
    assert await slots.taken() == 1
    await close(redis)


HOLDER = textwrap.dedent(
    """
    import asyncio, sys, time
    from explanation_service.explanations.yandexgpt.slots import Slots
    from explanation_service.settings import Settings
    from explanation_service.stores.generation_slots import GenerationSlots
    from explanation_service.stores.redis import connect_redis

    async def main():
        url, name, limit, lease, rounds = sys.argv[1:]
        redis = connect_redis(Settings(redis_url=url))
        slots = Slots(GenerationSlots(redis, name, int(limit), lease_seconds=float(lease)))
        running = f"running:{name}"
        most = 0

        async def work():
            nonlocal most
            async with slots.slot(time.monotonic() + 300):
                most = max(most, await redis.incr(running))
                print("held", flush=True)
                await asyncio.sleep(0.01 if int(rounds) else 1000)
                await redis.decr(running)

        await asyncio.gather(*(work() for _ in range(int(rounds) or int(limit))))
        await slots.close()
        print("most", most, flush=True)

    asyncio.run(main())
    """
)


def holder(url: str, name: str, limit: int, lease: float, rounds: int) -> subprocess.Popen[str]:
    arguments = [url, name, str(limit), str(lease), str(rounds)]
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=python_environment(),
    )


def test_three_processes_never_hold_more_than_there_are(settings: Settings) -> None:
    name = uuid4().hex
    processes = [holder(settings.redis_url, name, 4, 60.0, 40) for _ in range(3)]
    outputs = [process.communicate(timeout=300)[0].split("\n") for process in processes]
    assert [output.count("held") for output in outputs] == [40] * 3
    most = [int(output[-2].split()[1]) for output in outputs]
    assert 1 <= max(most) <= 4


async def test_the_slots_of_a_process_that_was_killed_come_back(settings: Settings) -> None:
    name = uuid4().hex
    process = holder(settings.redis_url, name, 3, 5.0, 0)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(3)] == ["held\n"] * 3
    redis = connect_redis(settings)
    shared = GenerationSlots(redis, name, 3, lease_seconds=5.0)
    # Renewed for longer than a lease is.
    ending = time.monotonic() + 6.0
    while time.monotonic() < ending:
        assert not await shared.acquire("probe")
        await asyncio.sleep(0.1)
    process.kill()
    process.wait()
    process.stdout.close()
    slots = Slots(shared)
    async with slots.slot(time.monotonic() + PATIENCE):
        assert slots.held == 1
    await slots.close()
    await close(redis)


@pytest.mark.parametrize("limit", [1, 8])
async def test_a_repeated_command_takes_no_second_slot(settings: Settings, limit: int) -> None:
    redis = connect_redis(settings)
    slots = GenerationSlots(redis, uuid4().hex, limit)
    for _ in range(3):
        assert await slots.acquire("same")
    assert await slots.taken() == 1
    await close(redis)
