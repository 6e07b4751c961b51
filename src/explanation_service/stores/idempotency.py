"""Answers kept under the caller's Idempotency-Key, so that a repeated request gets the same one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import Enum

from explanation_service.stores.redis import RedisClient, translated_errors

# Seconds. A client that lost an answer repeats within minutes; a day covers a queue of retries.
ANSWER_TTL = 24 * 3600
# Seconds by which a claim outlives the longest request: a second one with the same key must not be
# answered beside it. Whoever dies on the way blocks the key no longer than this and the request.
CLAIM_MARGIN_SECONDS = 30.0

_PREFIX = "idempotency:"

# Sets the answer, or with an empty one frees the key, only while the claim is still ours: one that
# ran out may be another's by now. KEYS: key; ARGV: claim, answer, seconds.
_SETTLE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1])
else redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return 1
"""


class ClaimState(Enum):
    """What is known of a key: OURS to answer, ANSWERED before, IN_PROGRESS elsewhere, or a
    MISMATCH, used with another request."""

    OURS = "ours"
    ANSWERED = "answered"
    IN_PROGRESS = "in progress"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True)
class Claim:
    """The outcome of a claim; `answer` is set when it is ANSWERED."""

    state: ClaimState
    key: str
    mark: str
    fingerprint: str
    answer: str | None = None


class IdempotencyStore:
    """Every method raises StoreUnavailable when Redis does not serve."""

    def __init__(self, redis: RedisClient, claim_seconds: float) -> None:
        """`claim_seconds`: longer than any request takes."""
        self._redis = redis
        self._claim_ms = int(claim_seconds * 1000)
        self._settle = redis.register_script(_SETTLE)

    async def claim(self, principal: str, key: str, request: str, token: str) -> Claim:
        """Claim a key for a request (any text that stands for it); `token` is new each time.

        Keys of different principals are different keys. The claim ends by itself after
        `claim_seconds`.
        """
        name = _PREFIX + hashlib.sha256(f"{principal}\n{key}".encode()).hexdigest()
        fingerprint = hashlib.sha256(request.encode()).hexdigest()
        mark = json.dumps({"request": fingerprint, "token": token})
        with translated_errors():
            # SET NX GET in one step needs Redis 7.0, as the rest does.
            before = await self._redis.set(name, mark, px=self._claim_ms, nx=True, get=True)
        if before is None:
            return Claim(ClaimState.OURS, name, mark, fingerprint)
        kept = json.loads(str(before))
        answer = kept.get("answer")
        if kept["request"] != fingerprint:
            state = ClaimState.MISMATCH
        else:
            state = ClaimState.IN_PROGRESS if answer is None else ClaimState.ANSWERED
        return Claim(state, name, mark, fingerprint, answer)

    async def keep(self, claim: Claim, answer: str) -> None:
        """Keep the answer for a day."""
        kept = json.dumps({"request": claim.fingerprint, "answer": answer}, ensure_ascii=False)
        with translated_errors():
            await self._settle(keys=[claim.key], args=[claim.mark, kept, ANSWER_TTL])

    async def release(self, claim: Claim) -> None:
        """Free the key, for there is no answer to keep."""
        with translated_errors():
            await self._settle(keys=[claim.key], args=[claim.mark, "", 0])
