"""GET /health, /health/ready and /metrics: open to probes and scrapers."""

from __future__ import annotations

import asyncio
import time

from fastapi import APIRouter, Response

from explanation_service import __version__
from explanation_service.api.problems import problem, problem_response
from explanation_service.api.schemas.health import DependencyState, Health, Readiness
from explanation_service.api.services import Probe, Services, ServicesDep
from explanation_service.stores.errors import StoreError
from explanation_service.telemetry import metrics

router = APIRouter(tags=["health"])

# Seconds; a store that is up answers in milliseconds. A probe that gives up sooner (Kubernetes does
# after 1 s) comes to the same conclusion.
PROBE_TIMEOUT = 2.0


@router.get("/health", summary="Whether the process serves")
async def health() -> Health:
    return Health(version=__version__)


@router.get(
    "/health/ready",
    summary="Whether the dependencies serve",
    response_model=Readiness,
    responses={503: problem_response(503, "NotReady")},
)
async def ready(services: ServicesDep) -> Response | Readiness:
    names = list(services.probes)
    states = await asyncio.gather(
        _workers(services), *(_probe(name, services.probes[name]) for name in names)
    )
    dependencies = dict(zip(["workers", *names], states, strict=True))
    down = [name for name, state in dependencies.items() if state.needed and state.status != "ok"]
    readiness = Readiness(ready=not down, dependencies=dependencies)
    if not down:
        return readiness
    detail = f"Not ready: {', '.join(down)} unavailable."
    return problem(503, detail, code="not_ready", **readiness.model_dump(exclude_none=True))


@router.get("/metrics", include_in_schema=False)
async def read_metrics() -> Response:
    body, content_type = metrics.render()
    return Response(body, headers={"Content-Type": content_type})


async def _probe(name: str, probe: Probe) -> DependencyState:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            await probe()
    except TimeoutError:
        return _down(f"{name}: no answer within {PROBE_TIMEOUT} s")
    except StoreError:
        # Not the driver's words: the route is open, and they name hosts.
        return _down(f"{name} does not answer")
    latency = round((time.perf_counter() - started) * 1000, 2)
    return DependencyState(status="ok", needed=True, latency_ms=latency)


def _down(detail: str) -> DependencyState:
    return DependencyState(status="down", needed=True, detail=detail)


async def _workers(services: Services) -> DependencyState:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            ready = [w for w in await services.workers.live_workers() if w.ready]
    except (StoreError, TimeoutError):
        return DependencyState(status="none", needed=False, detail="unknown without redis")
    if not ready:
        return DependencyState(status="none", needed=False, detail="searches are lexical only")
    return DependencyState(status="ok", needed=False, detail=f"{len(ready)} ready")
