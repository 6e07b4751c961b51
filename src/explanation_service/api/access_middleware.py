"""Who may come in at all, before anything of a body is read: keys and the rate limit."""

from __future__ import annotations

import math

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from explanation_service.api.problems import ApiProblem, problem
from explanation_service.api.rate_limit import RateLimiter
from explanation_service.api.security import ApiKeys, Principal, key_in
from explanation_service.api.services import Services

# The rest is for probes, scrapers and browsers, and needs no key.
_GUARDED = "/v1/"


class AccessMiddleware:
    """Answers 401 and 429. Which routes need an admin key, the routes say themselves."""

    def __init__(self, app: ASGIApp, keys: ApiKeys, limiter: RateLimiter) -> None:
        self._app = app
        self._keys = keys
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_GUARDED):
            await self._app(scope, receive, send)
            return
        try:
            principal = self._keys.reader(key_in(Headers(scope=scope)))
            await self._limit(scope, principal)
        except ApiProblem as error:
            # A body that comes all the same is not read, so the connection ends here.
            headers = {**(error.headers or {}), "Connection": "close"}
            await problem(error.status, error.detail, headers=headers)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _limit(self, scope: Scope, principal: Principal) -> None:
        services: Services = scope["app"].state.services
        caller = principal.id
        if principal.anonymous:
            # Only where no key is needed; behind a proxy uvicorn takes the address that it names.
            client = scope.get("client")
            caller = f"address:{client[0] if client else 'unknown'}"
        wait = await self._limiter.wait_of(services.rate_limits, caller)
        if wait > 0:
            seconds = math.ceil(wait)
            raise ApiProblem(
                429,
                f"Too many requests; the next one is welcome in {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )
