"""The command `explanation-worker`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from explanation_service.indexing.heap import limit_heaps
from explanation_service.indexing.threads import limit_math_threads, step_back

# Before anything can import torch or numpy.
limit_heaps()
limit_math_threads()

from explanation_service.indexing.model_directory import ModelUnusable  # noqa: E402
from explanation_service.indexing.worker import run_worker  # noqa: E402
from explanation_service.settings import SettingsError, load_settings  # noqa: E402
from explanation_service.stores.errors import ModelMismatch  # noqa: E402
from explanation_service.telemetry.logging import configure_logging, get_logger  # noqa: E402
from explanation_service.telemetry.tracing import tracing  # noqa: E402

# Exit codes: 2 for what the operator has to change, 1 for what a restart may cure.
EXIT_SETTINGS = 2
EXIT_FAILURE = 1


def main() -> None:
    """Run one worker until SIGTERM or SIGINT."""
    try:
        settings = load_settings()
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_SETTINGS)
    if settings.worker_role == "index":
        step_back()
    configure_logging(settings.log_level, "worker")
    log = get_logger(__name__)

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await run_worker(settings, stop)

    try:
        with tracing("worker"):
            asyncio.run(run())
    except (SettingsError, ModelUnusable, ModelMismatch) as error:
        log.error("worker cannot start", why=str(error))
        code = EXIT_SETTINGS
    except Exception:
        log.exception("worker failed")
        code = EXIT_FAILURE
    else:
        log.info("worker stopped")
        code = 0
    # Not sys.exit: a batch in the encode thread would hold up the exit, and torch's own threads
    # have crashed at it. Everything that matters is written.
    sys.stderr.flush()
    os._exit(code)
