"""The API as a process: seconds to ready, resident memory, modules, and that it is lean.

./bazelw run //bench:api_process [-- --starts 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx

from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.program import python_environment

# ML, and what writing vectors needs.
UNWANTED = (
    "grpc",
    "numpy",
    "onnxruntime",
    "qdrant_client",
    "scipy",
    "sklearn",
    "sentence_transformers",
    "tokenizers",
    "torch",
    "transformers",
)
_LIST_MODULES = "import sys, explanation_service.api.server; print('\\n'.join(sys.modules))"


def resident_megabytes(pid: int) -> float:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        kilobytes = next(line.split()[1] for line in status if line.startswith("VmRSS"))
    return int(kilobytes) / 1024


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, on all cores."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_once(environment: dict[str, str]) -> tuple[float, float, float]:
    """Seconds until /health answers; CPU seconds and resident megabytes then. No store needs to be
    up."""
    (port,) = free_ports(1)
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "explanation_service.api"],
        env={**environment, "API_PORT": str(port), "API_HOST": "127.0.0.1"},
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"the API ended with status {process.returncode}")
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", timeout=1).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.01)
        seconds = time.monotonic() - started
        return seconds, cpu_seconds(process.pid), resident_megabytes(process.pid)
    finally:
        process.terminate()
        process.wait(10)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    starts = parser.parse_args().starts
    environment = {**os.environ, **python_environment()}
    runs = [start_once(environment) for _ in range(starts)]
    seconds, cpu, megabytes = (statistics.median(column) for column in zip(*runs, strict=True))
    listing = subprocess.run(
        [sys.executable, "-c", _LIST_MODULES],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.split()
    found = sorted({name.split(".")[0] for name in listing} & set(UNWANTED))
    print(
        f"API, median of {starts}: {seconds:.2f} s to ready ({cpu:.2f} s of CPU), "
        f"{megabytes:.0f} MB resident"
    )
    print(f"API modules: {len(listing)}, unwanted ones: {', '.join(found) or 'none'}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
