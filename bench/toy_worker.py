"""A worker like `python -m explanation_service.indexing`, with a toy model.

    python -m bench.toy_worker [--seconds-per-text 0.01] [--lease 15]

Its settings come from the environment. A shorter `--lease` than the worker's own shortens
everything that waits for it: the takeover from a dead worker, the way of a poison entry.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys

from bench.toy_model import ToyModel
from explanation_service.indexing.leases import LEASE, RENEWAL
from explanation_service.indexing.worker import Worker
from explanation_service.settings import Settings, load_settings
from explanation_service.telemetry.logging import configure_logging, get_logger


async def work(settings: Settings, seconds_per_text: float, lease: float) -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    model = ToyModel(seconds_per_text)
    await Worker(settings, stop, model, lease, lease * RENEWAL / LEASE).run()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds-per-text", type=float, default=0.01)
    parser.add_argument("--lease", type=float, default=LEASE)
    options = parser.parse_args()
    settings = load_settings()
    configure_logging(settings.log_level, "worker")
    code = 0
    try:
        asyncio.run(work(settings, options.seconds_per_text, options.lease))
    except Exception:
        get_logger(__name__).exception("worker failed")
        code = 1
    sys.stderr.flush()
    # As the real one does: a batch in the encode thread would hold up the exit.
    os._exit(code)


if __name__ == "__main__":
    main()
