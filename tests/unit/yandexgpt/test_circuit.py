"""The circuit breaker against a model of it, over any order of calls, ends and pauses."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
)

from explanation_service.explanations.yandexgpt.circuit import (
    FAILURES,
    LONGEST_PAUSE,
    SHORTEST_PAUSE,
    Circuit,
    Permit,
    State,
)
from explanation_service.telemetry.metrics import REGISTRY


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def opened() -> tuple[Circuit, Clock]:
    clock = Clock()
    circuit = Circuit(clock)
    for _ in range(FAILURES):
        fail(circuit)
    return circuit, clock


def admitted(circuit: Circuit) -> Permit:
    permit = circuit.admit()
    assert permit is not None
    return permit


def fail(circuit: Circuit) -> None:
    admitted(circuit).failed()


def test_it_opens_after_failures_in_a_row_alone():
    circuit = Circuit()
    for _ in range(3):
        for _ in range(FAILURES - 1):
            fail(circuit)
        admitted(circuit).succeeded()
    assert circuit.state is State.CLOSED
    circuit, _ = opened()
    assert circuit.state is State.OPEN and circuit.blocked and circuit.admit() is None


def test_one_call_decides_after_the_pause():
    circuit, clock = opened()
    clock.now += SHORTEST_PAUSE
    assert not circuit.blocked
    probe = admitted(circuit)
    assert circuit.state is State.HALF_OPEN
    assert circuit.blocked and circuit.admit() is None
    probe.succeeded()
    assert circuit.state is State.CLOSED
    assert circuit.admit() is not None


def test_a_probe_that_tells_nothing_lets_the_next_one_through():
    circuit, clock = opened()
    clock.now += SHORTEST_PAUSE
    admitted(circuit).abandoned()
    assert circuit.state is State.HALF_OPEN
    assert circuit.admit() is not None


def test_the_pause_doubles_up_to_its_limit_and_starts_anew():
    circuit, clock = opened()
    pause = SHORTEST_PAUSE
    for _ in range(8):
        clock.now += pause - 0.01
        assert circuit.admit() is None
        clock.now += 0.01
        fail(circuit)
        pause = min(2 * pause, LONGEST_PAUSE)
    clock.now += LONGEST_PAUSE
    admitted(circuit).succeeded()
    for _ in range(FAILURES):
        fail(circuit)
    clock.now += SHORTEST_PAUSE
    assert circuit.admit() is not None


def test_calls_from_before_say_nothing_any_more():
    clock = Clock()
    circuit = Circuit(clock)
    late = admitted(circuit)
    later = admitted(circuit)
    for _ in range(FAILURES):
        fail(circuit)
    late.succeeded()
    assert circuit.state is State.OPEN
    clock.now += SHORTEST_PAUSE
    probe = admitted(circuit)
    later.failed()
    assert circuit.state is State.HALF_OPEN
    probe.succeeded()
    assert circuit.state is State.CLOSED


class CircuitMachine(RuleBasedStateMachine):
    """Invariants over any history: at most one call at a time while it is not closed, none within
    a pause, and it always closes again when a probe succeeds."""

    permits = Bundle("permits")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.circuit = Circuit(self.clock)
        self.row = 0
        self.opened_at = 0.0
        self.probe: Permit | None = None
        self.known: set[int] = set()

    @rule(target=permits)
    def call(self):
        before = self.circuit.state
        blocked = self.circuit.blocked
        permit = self.circuit.admit()
        assert blocked == (permit is None)
        if before is State.CLOSED:
            assert permit is not None
            self.known.add(id(permit))
        elif permit is not None:
            assert self.circuit.state is State.HALF_OPEN
            assert self.probe is None
            assert self.clock.now - self.opened_at >= SHORTEST_PAUSE
            self.probe = permit
        return permit

    @rule(permit=consumes(permits), end=st.sampled_from(["succeeded", "failed", "abandoned"]))
    def end(self, permit, end):
        if permit is None:
            return
        before = self.circuit.state
        getattr(permit, end)()
        if permit is self.probe:
            self.probe = None
            expected = {
                "succeeded": State.CLOSED,
                "failed": State.OPEN,
                "abandoned": State.HALF_OPEN,
            }[end]
            assert self.circuit.state is expected
            self.row = 0
            if expected is State.OPEN:
                self.opened_at = self.clock.now
            self.known.clear()
        elif before is State.CLOSED and id(permit) in self.known:
            self.known.discard(id(permit))
            self.row = {"succeeded": 0, "failed": self.row + 1, "abandoned": self.row}[end]
            if self.row >= FAILURES:
                assert self.circuit.state is State.OPEN
                self.opened_at, self.row = self.clock.now, 0
                self.known.clear()
            else:
                assert self.circuit.state is State.CLOSED
        else:
            assert self.circuit.state is before

    @precondition(lambda self: self.circuit.state is not State.CLOSED)
    @rule(seconds=st.floats(0, 2 * LONGEST_PAUSE))
    def wait(self, seconds):
        self.clock.now += seconds

    @invariant()
    def the_metric_tells_the_state(self):
        assert REGISTRY.get_sample_value("explain_circuit_state") == self.circuit.state.value


CircuitMachine.TestCase.settings = settings(max_examples=60, deadline=None)
TestCircuit = CircuitMachine.TestCase
