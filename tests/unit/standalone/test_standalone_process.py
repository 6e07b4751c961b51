"""Real child processes: how they start, end, and end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from explanation_service.standalone.process import Process, exit_of, how_it_ended
from explanation_service.standalone.program import (
    Program,
    python_environment,
    python_module,
)
from explanation_service.standalone.watchdog import Watchdog

# A child that starts a sleeper of its own, says its number, and waits for ever.
WITH_GRANDCHILD = (
    "import subprocess,sys,time; "
    "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    "print(p.pid, flush=True); time.sleep(600)"
)


def script(folder: Path, code: str, **fields: object) -> Program:
    return Program(
        name="script",
        command=(sys.executable, "-c", code),
        log=folder / "script.log",
        working_directory=folder,
        ready=lambda: True,
        **fields,  # type: ignore[arg-type]
    )


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] != "Z"


def number_in(log: Path) -> int:
    eventually(lambda: log.exists() and log.read_text().endswith("\n"))
    return int(log.read_text().split()[0])


def test_output_goes_to_the_log_and_variables_are_laid_over(tmp_path: Path) -> None:
    program = script(
        tmp_path, "import os; print(os.environ['A'], os.getcwd())", environment={"A": "b"}
    )
    process = Process(program)
    assert process.wait(20)
    assert process.exit_code == 0
    assert program.log.read_text() == f"b {tmp_path}\n"


def test_stop_kills_what_does_not_listen(tmp_path: Path) -> None:
    code = "import signal,time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); "
    process = Process(script(tmp_path, code + "time.sleep(600)"))
    number_in(tmp_path / "script.log")
    process.stop(0.2)
    assert process.exit_code == -signal.SIGKILL


def test_the_group_goes_with_its_leader(tmp_path: Path) -> None:
    process = Process(script(tmp_path, WITH_GRANDCHILD))
    grandchild = number_in(tmp_path / "script.log")
    process.kill_group()
    eventually(lambda: not is_running(grandchild))
    process.kill_group()


def test_nudges_come_while_it_ends(tmp_path: Path) -> None:
    code = (
        "import signal,time,os; signal.signal(15, signal.SIG_IGN); print(1, flush=True)\n"
        "while not os.path.exists('nudged'): time.sleep(0.01)"
    )
    process = Process(
        script(tmp_path, code, nudge=lambda: (tmp_path / "nudged").write_text("") == 0)
    )
    number_in(tmp_path / "script.log")
    process.stop(20)
    assert process.exit_code == 0


async def test_exit_of(tmp_path: Path) -> None:
    assert await exit_of(Process(script(tmp_path, "raise SystemExit(3)"))) == 3


def test_words_for_an_ending() -> None:
    assert how_it_ended(3) == "ended with status 3"
    assert how_it_ended(-9) == "was killed by SIGKILL"


def test_the_watchdog_kills_what_it_watches_when_it_is_left(tmp_path: Path) -> None:
    kept = Process(script(tmp_path, WITH_GRANDCHILD))
    forgotten = Process(script(tmp_path, "import time; time.sleep(600)"))
    grandchild = number_in(tmp_path / "script.log")
    watchdog = Watchdog()
    for process in (kept, forgotten):
        watchdog.watch(process.pid)
    watchdog.forget(forgotten.pid)
    watchdog.close()
    assert kept.wait(20)
    eventually(lambda: not is_running(grandchild))
    assert forgotten.exit_code is None
    forgotten.kill_group()


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
def test_a_killed_parent_takes_children_and_grandchildren_along(tmp_path: Path) -> None:
    parent_code = f"""
import sys, time
from pathlib import Path
from explanation_service.standalone.process import Process
from explanation_service.standalone.program import Program
from explanation_service.standalone.watchdog import Watchdog
folder = Path({str(tmp_path)!r})
watchdog = Watchdog()
process = Process(Program(name="x", command=(sys.executable, "-c", {WITH_GRANDCHILD!r}),
                  log=folder / "script.log", working_directory=folder, ready=lambda: True))
watchdog.watch(process.pid)
print(process.pid, flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_code],
        stdout=subprocess.PIPE,
        env={**os.environ, **python_environment()},
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    grandchild = number_in(tmp_path / "script.log")
    parent.kill()
    parent.communicate()
    eventually(lambda: not is_running(child) and not is_running(grandchild))


def test_children_see_our_modules_and_write_no_bytecode(tmp_path: Path) -> None:
    environment = python_environment()
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    code = "import explanation_service.settings, sys; print('' in sys.path)"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert answer.stdout == "False\n", answer.stderr
    assert python_module("a.b", "-x") == (sys.executable, "-m", "a.b", "-x")


def test_bytecode_of_uncompiled_packages_is_kept_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from explanation_service.standalone import program

    monkeypatch.setattr(program, "_packages_are_compiled", lambda: False)
    environment = python_environment(tmp_path)
    assert environment["PYTHONPYCACHEPREFIX"] == str(tmp_path)
    assert environment["PYTHONDONTWRITEBYTECODE"] == ""
