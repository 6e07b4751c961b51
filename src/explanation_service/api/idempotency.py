"""Idempotency-Key: a repeated request gets the answer of the first one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, Self, TypeAlias
from uuid import uuid4

from fastapi import Header

from explanation_service.api.problems import ApiProblem
from explanation_service.api.security import Principal
from explanation_service.stores.errors import StoreError, StoreUnavailable
from explanation_service.stores.idempotency import Claim, ClaimState, IdempotencyStore
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# asyncio itself holds its tasks weakly.
_settling: set[asyncio.Task[None]] = set()

# Seconds that Redis may take; the request as a whole has a budget, and can do without.
_REDIS_SECONDS = 0.25
# For what comes after the answer is made, at the end of that budget.
_SETTLE_SECONDS = 0.05

REPLAYED_HEADER = "Idempotency-Replayed"

IdempotencyKey: TypeAlias = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="A repeated request with the same key gets the same answer, for a day",
    ),
]


class IdempotentRequest:
    """One request under its key. Without a key, or with Redis away, every request is new: to
    explain twice costs time and does no harm, to refuse would.

    As a context manager it frees the key on the way out unless an answer was kept.
    """

    def __init__(self, store: IdempotencyStore) -> None:
        self._store = store
        self._claim: Claim | None = None

    async def begin(self, principal: Principal, key: str | None, request: str) -> str | None:
        """The answer that was kept, or None when there is one to be made.

        Raises ApiProblem 422 for a key that was used with another request, 409 while the first
        request is under way.
        """
        if key is None:
            return None
        try:
            claim = await self._claimed(principal, key, request)
        except StoreError as error:
            log.warning("Idempotency-Key not honoured", why=str(error))
            return None
        if claim.state is ClaimState.MISMATCH:
            raise ApiProblem(
                422,
                "This Idempotency-Key was used with another request.",
                code="idempotency_key_reused",
            )
        if claim.state is ClaimState.IN_PROGRESS:
            raise ApiProblem(
                409,
                "The first request with this Idempotency-Key is under way.",
                code="request_in_progress",
                headers={"Retry-After": "1"},
            )
        if claim.state is ClaimState.OURS:
            self._claim = claim
        return claim.answer

    async def keep(self, answer: str) -> None:
        """Keep the answer for those who repeat the request."""
        claim, self._claim = self._claim, None
        if claim is not None:
            await _settled(self._store.keep(claim, answer), "answer not kept")

    async def release(self) -> None:
        """Free the key for another try, unless an answer was kept."""
        claim, self._claim = self._claim, None
        if claim is not None:
            await _settled(self._store.release(claim), "key not freed")

    async def _claimed(self, principal: Principal, key: str, request: str) -> Claim:
        try:
            async with asyncio.timeout(_REDIS_SECONDS) as limit:
                return await self._store.claim(principal.id, key, request, uuid4().hex)
        except TimeoutError:
            if not limit.expired():
                raise
            raise StoreUnavailable("redis", "no answer in time") from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.release()


async def _settled(work: Coroutine[Any, Any, None], failure: str) -> None:
    """Wait for `work` a moment; where that is not enough it goes on beside the answer."""

    async def settle() -> None:
        try:
            await work
        except StoreError as error:
            log.warning("Idempotency-Key not honoured", what=failure, why=str(error))

    task = asyncio.create_task(settle())
    _settling.add(task)
    task.add_done_callback(_settling.discard)
    await asyncio.wait({task}, timeout=_SETTLE_SECONDS)
