"""A worker as a process whose model takes its time: `slow_worker.py SECONDS_PER_TEXT`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from explanation_service.indexing.worker import Worker
from explanation_service.settings import load_settings
from explanation_service.telemetry.logging import configure_logging
from tests.integration.toy_encoder import ToyEncoder


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await Worker(load_settings(), stop, ToyEncoder(seconds=float(sys.argv[1]))).run()


if __name__ == "__main__":
    configure_logging("INFO", "worker")
    asyncio.run(main())
    # As explanation-worker ends: a batch in the encode thread does not hold it up.
    os._exit(0)
