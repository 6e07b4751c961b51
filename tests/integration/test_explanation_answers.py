"""Kept answers and claims in a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from explanation_service.explanations.answer_memory import AnswerMemory
from explanation_service.explanations.language_model import Completion, LanguageModelUnavailable
from explanation_service.explanations.records import Usage
from explanation_service.settings import Settings
from explanation_service.stores.explanation_answers import (
    FLIGHT_SECONDS,
    AnswerKeys,
    AnswersSeen,
    ExplanationAnswers,
    KeptAnswer,
)
from explanation_service.stores.redis import RedisClient, close, connect_redis
from explanation_service.stores.time_limit import TimeLimit

PATIENCE = 60.0
ANSWER = KeptAnswer("Пиши «о».", "lite", "v1", False, "stamp", 1.5)


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[RedisClient]:
    client = connect_redis(settings)
    yield client
    await close(client)


@pytest.fixture
def keys() -> AnswerKeys:
    return AnswerKeys(*(uuid4().hex for _ in range(4)))


async def test_an_answer_and_the_version_of_its_model(redis: RedisClient, keys: AnswerKeys) -> None:
    answers = ExplanationAnswers(redis, 100)
    assert await answers.look_up(keys) == AnswersSeen()
    await answers.keep(keys, ANSWER)
    assert await answers.look_up(keys) == AnswersSeen(ANSWER, "v1")
    assert 0 < await redis.ttl(f"explanation:answer:{keys.answer}") <= 100


@pytest.mark.parametrize("raw", ["", "{", "[]", '{"text": "a"}', '{"other": 1}'])
async def test_what_another_release_wrote_is_no_answer(
    redis: RedisClient, keys: AnswerKeys, raw: str
) -> None:
    await redis.set(f"explanation:answer:{keys.answer}", raw, ex=100)
    assert await ExplanationAnswers(redis, 100).look_up(keys) == AnswersSeen()


async def test_one_of_many_gets_the_claim(redis: RedisClient, keys: AnswerKeys) -> None:
    answers = ExplanationAnswers(redis, 100)
    tokens = [uuid4().hex for _ in range(20)]
    got = await asyncio.gather(*(answers.claim(keys, token) for token in tokens))
    assert sum(got) == 1
    winner = tokens[got.index(True)]
    # Asked again after a lost answer.
    assert await answers.claim(keys, winner)
    loser = next(token for token in tokens if token != winner)
    await answers.release(keys, loser)
    await answers.fail(keys, loser, "x", 100)
    assert not await answers.claim(keys, loser)
    await answers.release(keys, winner)
    assert await answers.claim(keys, loser)


async def test_a_failure_stands_for_a_while(redis: RedisClient, keys: AnswerKeys) -> None:
    answers = ExplanationAnswers(redis, 100)
    assert await answers.claim(keys, "a")
    await answers.fail(keys, "a", "refused", 0.3)
    assert (await answers.look_up(keys)).failed == "refused"
    async with asyncio.timeout(PATIENCE):
        while not await answers.claim(keys, "b"):
            await asyncio.sleep(0.02)
    assert (await answers.look_up(keys)).failed is None


async def test_a_claim_lives_while_its_holder_does(redis: RedisClient, keys: AnswerKeys) -> None:
    time_limit = TimeLimit("redis", seconds=PATIENCE)
    memory = AnswerMemory(ExplanationAnswers(redis, 100), 100, time_limit=time_limit)
    loop = asyncio.get_running_loop()
    assert await memory.claim(keys, "holder")
    ends_at = loop.time() + FLIGHT_SECONDS
    async with memory.claimed(keys, "holder"), asyncio.timeout(PATIENCE):
        # Until it would last longer than the claim was made for.
        while (
            loop.time() + await redis.pttl(f"explanation:flight:{keys.flight}") / 1000
            < ends_at + FLIGHT_SECONDS / 4
        ):
            await asyncio.sleep(0.1)
    assert await memory.claim(keys, "next")
    # Nobody renews this one.
    async with asyncio.timeout(PATIENCE):
        while not await memory.claim(keys, "last"):
            await asyncio.sleep(0.1)


async def test_the_chain_of_a_failure(redis: RedisClient, keys: AnswerKeys) -> None:
    memory = AnswerMemory(ExplanationAnswers(redis, 100), 100)
    assert await memory.claim(keys, "a")
    with pytest.raises(LanguageModelUnavailable):
        async with memory.claimed(keys, "a"):
            raise LanguageModelUnavailable("refused", lasting=True)
    assert (await memory.recall(keys)).failed == "refused"
    await memory.keep(keys, Completion("Текст", "lite", "v1", Usage(1, 1)))
    seen = await memory.recall(keys)
    assert seen.fresh is not None and seen.fresh.text == "Текст"
