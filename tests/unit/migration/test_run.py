"""The order of things, exit codes and resumption, over an engine that only remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.scripts.migration import back, outcomes, run
from infra.scripts.migration.compose import API, MONOLITH, WORKER, Compose
from infra.scripts.migration.console import Console
from infra.scripts.migration.engine import CommandFailed, Container, Engine
from infra.scripts.migration.forward import Facts, Step
from infra.scripts.migration.journal import Journal
from infra.scripts.migration.options import parse
from infra.scripts.migration.outcomes import ClientsRemain, Unfit
from infra.scripts.migration.run import Run
from infra.scripts.migration.sides import Sides

STEPS = ["baseline", "start_pair", "prove_pair", "switch", "stop_monolith", "watch"]


class FakeEngine(Engine):
    """Containers that start and stop at once, and a record of it."""

    def __init__(self) -> None:
        super().__init__("project")
        self.states = {MONOLITH: "running", API: "exited", WORKER: "exited"}
        self.log: list[str] = []
        self.fails: set[str] = set()

    def containers(self, service: str) -> list[Container]:
        if service not in self.states:
            return []
        status = self.states[service]
        return [Container(service, status, "healthy", 0, 0, {}, f"http://{service}.invalid")]

    def start(self, container: Container) -> None:
        if container.id in self.fails:
            raise CommandFailed("no such image")
        self.states[container.id] = "running"
        self.log.append(f"start {container.id}")

    def stop(self, container: Container) -> None:
        self.states[container.id] = "exited"
        self.log.append(f"stop {container.id}")


class FakeSides(Sides):
    """Well and quiet, unless told otherwise."""

    quiet = True

    def monolith_fault(self) -> str | None:
        found = self.one(MONOLITH)
        return None if found and found.running else "does not run"

    def wait_until(self, fault: Callable[[], str | None], seconds: float) -> str | None:
        return fault()

    def wait_until_quiet(self, name: str, quiet: float, seconds: float) -> bool:
        return self.quiet


class FakeForward:
    """Steps that do nothing, or what a test puts in their place."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.raises: dict[str, BaseException] = {}

    def __call__(self, *_: object) -> FakeForward:
        return self

    def steps(self) -> list[Step]:
        return [Step(name, name, self._runner(name)) for name in STEPS]

    def _runner(self, name: str) -> Callable[[Facts], Mapping[str, Any] | None]:
        def step(_: Facts) -> Mapping[str, Any] | None:
            self.ran.append(name)
            if name in self.raises:
                raise self.raises[name]
            return {"error_rate": 0.0} if name == "baseline" else None

        return step


class World:
    """One machine: calls of the script share its engine and its state directory."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = FakeEngine()
        self.forward = FakeForward()
        self.journal = Journal(folder)
        self.options = replace(parse(["--state-dir", str(folder)]), compose_command=["compose"])
        self.sides = FakeSides(self.engine, Compose(["compose"], []), Console())
        monkeypatch.setattr(run, "Forward", self.forward)
        monkeypatch.setattr(run.engine, "engine_fault", lambda: None)
        monkeypatch.setattr(Run, "_sides", lambda *_: self.sides)
        monkeypatch.setattr(Run, "_preflight", lambda *_: None)
        monkeypatch.setattr(back.Canary, "remove", lambda _: True)

    def call(self, **options: Any) -> int:
        return Run(replace(self.options, **options), Console()).code()

    def events(self) -> list[tuple[str, str]]:
        return [(entry["step"], entry["event"]) for entry in self.journal.entries()]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path / "state", monkeypatch)


def test_all_steps_in_their_order_once(world: World) -> None:
    assert world.call() == outcomes.DONE
    assert world.forward.ran == STEPS
    assert world.events()[-1] == ("migration", "done")
    assert world.call() == outcomes.DONE
    assert world.forward.ran == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_run_goes_on_at_its_step(world: World, step: str) -> None:
    # Whatever ends the process: nothing is written any more.
    world.forward.raises = {step: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        world.call()
    world.forward.raises, world.forward.ran = {}, []
    assert world.call() == outcomes.DONE
    assert world.forward.ran == STEPS[STEPS.index(step) :]


def test_going_back_the_monolith_serves_before_the_pair_stops(world: World) -> None:
    world.engine.states = {MONOLITH: "exited", API: "running", WORKER: "running"}
    world.forward.raises = {"watch": Unfit("too many errors")}
    assert world.call() == outcomes.ROLLED_BACK
    assert world.engine.log == [f"start {MONOLITH}", f"stop {WORKER}", f"stop {API}"]
    begun = next(entry for entry in world.journal.entries() if entry["step"] == "rollback")
    assert (begun["reason"], begun["automatic"]) == ("too many errors", True)
    # Then all may be tried again, from the beginning.
    world.forward.raises, world.forward.ran = {}, []
    assert world.call() == outcomes.DONE
    assert world.forward.ran == STEPS


def test_clients_that_stay_are_waited_for(world: World) -> None:
    world.forward.raises = {"switch": ClientsRemain("two of them")}
    assert world.call() == outcomes.CLIENTS_REMAIN
    assert world.engine.log == []
    world.forward.raises, world.forward.ran = {}, []
    assert world.call() == outcomes.DONE
    assert world.forward.ran == ["switch", "stop_monolith", "watch"]


def test_going_back_the_api_stays_for_clients_that_stay(world: World) -> None:
    world.call()
    world.engine.states = {MONOLITH: "exited", API: "running", WORKER: "running"}
    world.sides.quiet = False
    assert world.call(rollback=True) == outcomes.CLIENTS_REMAIN
    assert world.engine.states == {MONOLITH: "running", API: "running", WORKER: "exited"}
    # The same way goes on, whatever is called.
    world.sides.quiet = True
    assert world.call() == outcomes.DONE
    assert world.engine.states[API] == "exited"


def test_a_monolith_that_does_not_come_back_leaves_the_pair(world: World) -> None:
    world.engine.states = {MONOLITH: "exited", API: "running", WORKER: "running"}
    world.engine.fails = {MONOLITH}
    world.forward.raises = {"watch": Unfit("too many errors")}
    assert world.call() == outcomes.ROLLBACK_INCOMPLETE
    assert world.engine.log == []
    world.engine.fails = set()
    assert world.call() == outcomes.ROLLED_BACK
    assert world.engine.states == {MONOLITH: "running", API: "exited", WORKER: "exited"}


def test_back_by_hand_twice_and_without_a_journal(world: World) -> None:
    world.engine.states = {MONOLITH: "exited", API: "running", WORKER: "running"}
    for _ in range(2):
        assert world.call(rollback=True) == outcomes.DONE
        assert world.engine.states == {MONOLITH: "running", API: "exited", WORKER: "exited"}
    assert world.engine.log.count(f"start {MONOLITH}") == 1


def test_the_operator_s_command_is_told_where_to(world: World, tmp_path: Path) -> None:
    said = tmp_path / "said"
    command = f'echo "$MIGRATION_TARGET $MIGRATION_URL" >> {said}'
    world.call()
    assert world.call(rollback=True, switch_command=command) == outcomes.DONE
    assert said.read_text() == f"monolith http://{MONOLITH}.invalid\n"


def test_a_second_run_is_refused(world: World) -> None:
    with world.journal.held():
        assert world.call() == outcomes.LOCKED
    assert world.forward.ran == []


def test_an_engine_that_fails_midway_is_gone_on_with(world: World) -> None:
    world.forward.raises = {"stop_monolith": CommandFailed("the engine is away")}
    assert world.call() == outcomes.FAILED
    world.forward.raises, world.forward.ran = {}, []
    assert world.call() == outcomes.DONE
    assert world.forward.ran == ["stop_monolith", "watch"]


def test_a_dry_run_writes_nothing(world: World) -> None:
    assert world.call(dry_run=True) == outcomes.DONE
    assert world.forward.ran == []
    assert not world.journal.path.parent.exists()
