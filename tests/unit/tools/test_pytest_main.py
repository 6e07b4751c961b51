"""The program around pytest in every test target."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

TEST = """
import asyncio, pathlib, pytest, time

here = pathlib.Path(__file__).parent

@pytest.fixture
def started():
    (here / "started").touch()
    yield
    (here / "ended").touch()

def test_waits(started):
    time.sleep(60)

async def test_waits_on_a_loop(started):
    await asyncio.sleep(60)
"""


@pytest.mark.parametrize("test", ["test_waits", "test_waits_on_a_loop"])
def test_what_a_fixture_started_ends_with_an_interrupted_test(tmp_path: Path, test: str) -> None:
    file = tmp_path / "test_interrupted.py"
    file.write_text(TEST)
    process = subprocess.Popen(
        [sys.executable, "tools/python/pytest_main.py", f"{file}::{test}"],
        env={**os.environ, "PYTHONPATH": ":".join(sys.path), "XML_OUTPUT_FILE": ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "started").exists():
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        time.sleep(0.05)
    process.terminate()
    said, _ = process.communicate(timeout=60)
    assert (tmp_path / "ended").exists(), said
    assert process.returncode == pytest.ExitCode.INTERRUPTED, said
