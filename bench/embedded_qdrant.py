"""Starts the Qdrant of the standalone mode as a child process, for a bench that was given none."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

_MODULE = "explanation_service.standalone.qdrant_server"
# Seconds; the engine is a native library and is up in one or two.
_START_SECONDS = 30
_STOP_SECONDS = 10


@contextmanager
def embedded_qdrant() -> Iterator[str]:
    """The address of a fresh, empty server that ends with the block.

    Raises RuntimeError when it is not installed or does not start.
    """
    if importlib.util.find_spec("qdrant_edge") is None:
        raise RuntimeError(
            "no embedded Qdrant: install the extra `standalone` or give --qdrant-url"
        )
    with tempfile.TemporaryDirectory(prefix="bench-qdrant-") as directory:
        port = _free_port()
        child = subprocess.Popen(
            [sys.executable, "-m", _MODULE, "--port", str(port), "--data-dir", directory]
        )
        try:
            _wait_until_open(child, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            child.terminate()
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_open(child: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise RuntimeError(f"the embedded Qdrant ended with code {child.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the embedded Qdrant did not open its port in {_START_SECONDS} s")
