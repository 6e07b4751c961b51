"""The language model's answers, kept for the next pupil, and who is generating which one now.

explanation:answer:<digest>       an answer, JSON; gone after EXPLANATION_STALE_SECONDS
explanation:flight:<digest>       token of the process that generates it, or why there is none
explanation:version:<digest>      the model's version as it last named it

The digests come from `explanations.answer_keys`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from explanation_service.stores.redis import RedisClient, run, translated_errors

# Seconds. A process that was killed while generating holds others up no longer than this; renewed
# at half of it, which most requests do not live to see.
FLIGHT_SECONDS = 4.0
VERSION_SECONDS = 30 * 24 * 3600

# What stands in place of a token while nobody shall try again.
_FAILED = "failed:"

# KEYS: flight; ARGV: token, ms. Someone else's flight is left alone.
_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
"""
# KEYS: flight; ARGV: token, what is to stand there, ms; without it the flight is free.
_SETTLE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return end
if ARGV[2] == '' then redis.call('DEL', KEYS[1])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
"""


@dataclass(frozen=True, slots=True)
class AnswerKeys:
    """Digests: of the question with the passages it rests on (`answer`), of everything that the
    generation depends on besides (`stamp`), of both together (`flight`), of the model (`model`)."""

    answer: str
    stamp: str
    flight: str
    model: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer of the model; `made_at` is Unix time, `stamp` that of its keys."""

    text: str
    model: str
    model_version: str
    truncated: bool
    stamp: str
    made_at: float


@dataclass(frozen=True, slots=True)
class AnswersSeen:
    """What there is about one question; `failed` says why a generation is not worth trying now."""

    answer: KeptAnswer | None = None
    model_version: str | None = None
    failed: str | None = None


class ExplanationAnswers:
    """Every method raises StoreUnavailable when Redis does not serve."""

    def __init__(self, redis: RedisClient, keep_seconds: int) -> None:
        self._redis = redis
        self._keep_seconds = keep_seconds
        self._renew = redis.register_script(_RENEW)
        self._settle = redis.register_script(_SETTLE)

    async def look_up(self, keys: AnswerKeys) -> AnswersSeen:
        """Everything that is known, in one round trip."""
        with translated_errors():
            rows: Any = await self._redis.mget(
                [_answer(keys), f"explanation:version:{keys.model}", _flight(keys)]
            )
        answer, version, flight = rows
        failed = flight.removeprefix(_FAILED) if flight and flight.startswith(_FAILED) else None
        return AnswersSeen(_decode(answer), version, failed)

    async def keep(self, keys: AnswerKeys, answer: KeptAnswer) -> None:
        """Keep an answer, and the version of the model that it names."""
        text = json.dumps(asdict(answer), ensure_ascii=False)
        with translated_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.set(_answer(keys), text, ex=self._keep_seconds)
                pipe.set(
                    f"explanation:version:{keys.model}", answer.model_version, ex=VERSION_SECONDS
                )
                await run(pipe)

    async def claim(self, keys: AnswerKeys, token: str) -> bool:
        """Whether the generation is ours now. The claim ends after 4 s unless it is renewed."""
        with translated_errors():
            before = await self._redis.set(
                _flight(keys), token, px=int(FLIGHT_SECONDS * 1000), nx=True, get=True
            )
        # Our own token stands there when the answer to a first try was lost.
        return before is None or before == token

    async def renew(self, keys: AnswerKeys, token: str) -> None:
        """Extend our claim."""
        with translated_errors():
            await self._renew([_flight(keys)], [token, int(FLIGHT_SECONDS * 1000)])

    async def release(self, keys: AnswerKeys, token: str) -> None:
        """End our claim."""
        with translated_errors():
            await self._settle([_flight(keys)], [token, "", 0])

    async def fail(self, keys: AnswerKeys, token: str, reason: str, seconds: float) -> None:
        """End our claim and keep others from trying the same for `seconds`."""
        with translated_errors():
            await self._settle([_flight(keys)], [token, f"{_FAILED}{reason}", int(seconds * 1000)])


def _answer(keys: AnswerKeys) -> str:
    return f"explanation:answer:{keys.answer}"


def _flight(keys: AnswerKeys) -> str:
    return f"explanation:flight:{keys.flight}"


def _decode(raw: str | None) -> KeptAnswer | None:
    """None as well for what an older or a newer release wrote in another shape."""
    if raw is None:
        return None
    try:
        return KeptAnswer(**json.loads(raw))
    except (ValueError, TypeError):
        return None
