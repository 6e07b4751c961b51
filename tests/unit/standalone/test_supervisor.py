"""Keeping programs: restarts, giving up, the order of the end. Small scripts stand in."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from explanation_service.standalone import keeper as keeping
from explanation_service.standalone.faults import GaveUp
from explanation_service.standalone.keeper import Keeper
from explanation_service.standalone.program import Program
from explanation_service.standalone.supervisor import Supervisor
from explanation_service.standalone.terminal import Terminal

WAIT = "import time; time.sleep(600)"
# Notes its end, as a service that hands its work back.
POLITE = (
    "import signal,sys,time\n"
    "def end(*_):\n"
    "    open('order', 'a').write('{name} ')\n"
    "    sys.exit(0)\n"
    "signal.signal(15, end)\n"
    "open('{name}.ready', 'w').close()\n"
    "time.sleep(600)"
)


class Silent(Terminal):
    """Remembers what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)


@pytest.fixture
def terminal() -> Silent:
    return Silent()


def program(folder: Path, name: str, code: str, **fields: object) -> Program:
    arguments: dict[str, object] = {"ready": lambda: True, **fields}
    return Program(
        name=name,
        command=(sys.executable, "-c", code),
        log=folder / f"{name}.log",
        working_directory=folder,
        **arguments,  # type: ignore[arg-type]
    )


def polite(folder: Path, name: str) -> Program:
    ready = (folder / f"{name}.ready").exists
    return program(folder, name, POLITE.format(name=name), ready=ready)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_services_end_before_stores(tmp_path: Path, terminal: Silent) -> None:
    store, service = polite(tmp_path, "store"), polite(tmp_path, "service")
    async with Supervisor([store], [service], terminal) as supervisor:
        await supervisor.ready("store", "service")
    assert (tmp_path / "order").read_text() == "service store "
    assert all(keeper.process and keeper.process.exit_code == 0 for keeper in supervisor.keepers)


async def test_a_killed_program_comes_back_and_it_is_said(tmp_path: Path, terminal: Silent) -> None:
    async with Supervisor([], [program(tmp_path, "api", WAIT)], terminal) as supervisor:
        await supervisor.ready("api")
        (keeper,) = supervisor.keepers
        assert keeper.process is not None
        first = keeper.process.pid
        os.kill(first, signal.SIGKILL)
        await eventually(
            lambda: (
                keeper.process is not None and keeper.process.pid != first and keeper.ready.is_set()
            )
        )
    assert "api was killed by SIGKILL, starting it again" in terminal.said
    assert any(line.startswith("api is back") for line in terminal.said)


async def test_five_deaths_within_a_minute_end_everything(
    tmp_path: Path, terminal: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_LONGEST_PAUSE", 0.01)
    other = program(tmp_path, "store", WAIT)
    dying = program(
        tmp_path, "api", "open('starts', 'a').write('x'); raise SystemExit(7)", ready=lambda: False
    )
    with pytest.raises(GaveUp) as reason:
        async with Supervisor([other], [dying], terminal) as supervisor:
            await supervisor.guard(asyncio.Event().wait)
    assert str(dying.log) in str(reason.value) and "5th time" in str(reason.value)
    assert len((tmp_path / "starts").read_text()) == 5
    assert all(k.process is None or k.process.exit_code is not None for k in supervisor.keepers)


async def test_wrong_settings_are_not_tried_again(tmp_path: Path, terminal: Silent) -> None:
    code = "import sys; sys.stderr.write('API_PORT must be a number.\\n'); raise SystemExit(2)"
    with pytest.raises(GaveUp, match="api cannot run: API_PORT must be a number"):
        async with Supervisor([], [program(tmp_path, "api", code)], terminal) as supervisor:
            await supervisor.guard(asyncio.Event().wait)
    assert not any("again" in line for line in terminal.said)


async def test_a_busy_start_is_repeated_and_counts_as_no_death(
    tmp_path: Path, terminal: Silent
) -> None:
    code = (
        "import os,sys,time; open('starts', 'a').write('x')\n"
        "if os.path.getsize('starts') < 8: sys.exit('Device or resource busy')\n"
        "open('up', 'w').close(); time.sleep(600)"
    )
    busy = program(
        tmp_path, "mongodb", code, ready=(tmp_path / "up").exists, busy_marks=("resource busy",)
    )
    async with Supervisor([busy], [], terminal) as supervisor:
        await supervisor.ready("mongodb")
    assert not any("again" in line for line in terminal.said)


async def test_a_program_that_cannot_be_started_is_one_sentence(
    tmp_path: Path, terminal: Silent
) -> None:
    absent = Program("x", (str(tmp_path / "absent"),), tmp_path / "log", tmp_path, lambda: True)
    with pytest.raises(GaveUp, match="x cannot be started"):
        async with Supervisor([absent], [], terminal) as supervisor:
            await supervisor.guard(asyncio.Event().wait)


async def test_guard_gives_the_result_of_the_work(tmp_path: Path, terminal: Silent) -> None:
    async with Supervisor([], [program(tmp_path, "api", WAIT)], terminal) as supervisor:

        async def work() -> int:
            await supervisor.ready("api", "a store that is not ours")
            return 5

        assert await supervisor.guard(work) == 5


async def test_pauses_grow_and_a_quiet_minute_forgets(
    tmp_path: Path, terminal: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(keeping.time, "monotonic", lambda: now[0])

    class Ended:
        started_at = 1000.0

    subject = Keeper(program(tmp_path, "api", WAIT), terminal, None)  # type: ignore[arg-type]

    def pause() -> float:
        now[0] += 1
        return subject._pause_after(Ended(), 1, 0)  # type: ignore[arg-type]

    pauses = [pause() for _ in range(4)]
    assert pauses == sorted(pauses) and pauses[0] < pauses[-1] <= 3.0
    now[0] += 60
    assert pause() == pauses[0]
