"""The old monolith: the embedding worker inside of the API (START_EMBEDDING_WORKER=true)."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from explanation_service.settings import Settings, SettingsError
from explanation_service.stores.errors import ModelMismatch
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# By name, so that nothing of the worker is in this process, nor in the API's image, unless asked
# for.
_WORKER = "explanation_service.indexing.main"
_HEAP = "explanation_service.indexing.heap"
_NEEDED = ("explanation_service.indexing",)
# What the other backends need they say themselves: indexing.backends.
_NEEDED_BY_TORCH = ("sentence_transformers", "torch")

# Seconds that the worker may take to hand back its work, as when it runs alone.
_STOP_WITHIN = 10.0


def check_worker_can_run(settings: Settings) -> None:
    """Raises SettingsError when the ML distribution is not there or the ports are one."""
    if settings.worker_port == settings.api_port:
        raise SettingsError(
            f"WORKER_PORT must differ from API_PORT ({settings.api_port}) where "
            "START_EMBEDDING_WORKER is true: health and metrics of the worker have a port "
            "of their own."
        )
    uses_torch = settings.embedding_backend == "torch" and settings.fasttext_model_path is None
    needed = _NEEDED + (_NEEDED_BY_TORCH if uses_torch else ())
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingsError(
            "START_EMBEDDING_WORKER must be false where the worker's distribution is not "
            f"installed ({missing[0]} is missing)."
        )


def limit_heaps(settings: Settings) -> None:
    """For the worker to come, when the settings ask for it and it is there; to be called before
    there are other threads."""
    if settings.start_embedding_worker and importlib.util.find_spec(_NEEDED[0]) is not None:
        importlib.import_module(_HEAP).limit_heaps()


@asynccontextmanager
async def worker_in_process(settings: Settings) -> AsyncIterator[None]:
    """The worker beside the block when the settings ask for it; its end does not end the API."""
    if not settings.start_embedding_worker:
        yield
        return
    check_worker_can_run(settings)
    stop = asyncio.Event()
    task = asyncio.create_task(_run(settings, stop), name="embedding-worker")
    try:
        yield
    finally:
        stop.set()
        _, late = await asyncio.wait({task}, timeout=_STOP_WITHIN)
        for each in late:
            each.cancel()


async def _run(settings: Settings, stop: asyncio.Event) -> None:
    try:
        # In a thread: the import of torch takes seconds, in which the API is to answer.
        worker = await asyncio.to_thread(importlib.import_module, _WORKER)
    except Exception:
        log.exception("embedding worker cannot be imported; searches are lexical only")
        return
    try:
        await worker.run_worker(settings, stop)
    except (SettingsError, ModelMismatch, worker.ModelUnusable) as error:
        log.error("embedding worker cannot start; searches are lexical only", why=str(error))
    except Exception:
        log.exception("embedding worker ended; searches are lexical only")
