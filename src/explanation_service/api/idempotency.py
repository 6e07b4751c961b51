"""Idempotency-Key: a repeated request gets the answer of the first one."""

from __future__ import annotations

from typing import Annotated, Self, TypeAlias
from uuid import uuid4

from fastapi import Header

from explanation_service.api.problems import ApiProblem
from explanation_service.api.security import Principal
from explanation_service.stores.errors import StoreError
from explanation_service.stores.idempotency import Claim, ClaimState, IdempotencyStore
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

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
            claim = await self._store.claim(principal.id, key, request, uuid4().hex)
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
            try:
                await self._store.keep(claim, answer)
            except StoreError as error:
                log.warning("answer not kept under its Idempotency-Key", why=str(error))

    async def release(self) -> None:
        """Free the key for another try, unless an answer was kept."""
        claim, self._claim = self._claim, None
        if claim is not None:
            try:
                await self._store.release(claim)
            except StoreError as error:
                log.warning("Idempotency-Key not freed", why=str(error))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.release()
