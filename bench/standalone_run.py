"""A standalone service of the bench's own, in a temporary folder, while a `with` block runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from explanation_service.standalone.program import python_environment


@dataclass(frozen=True)
class Service:
    """`seconds_to_ready` counts from the start of the process to its READY line."""

    url: str
    pid: int
    seconds_to_ready: float


@contextlib.contextmanager
def standalone() -> Iterator[Service]:
    """Raises RuntimeError when the service ends before it is ready."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        started = time.monotonic()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "explanation_service.standalone",
                "--data-dir",
                f"{folder}/data",
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                **python_environment(),
                "EMBEDDING_MODEL_PATH": os.path.abspath(os.environ["EXPLANATION_TEST_MODEL"]),
            },
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("READY "):
                raise RuntimeError("the standalone service did not start; see the lines above")
            yield Service(line.split()[1], process.pid, time.monotonic() - started)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
