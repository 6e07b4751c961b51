"""The steps from the monolith to the pair. Each may run twice: runs are killed and go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.scripts.migration.canary import Canary
from infra.scripts.migration.compose import API, MONOLITH, WORKER
from infra.scripts.migration.engine import CommandFailed
from infra.scripts.migration.options import Options
from infra.scripts.migration.outcomes import ClientsRemain, Refused, Unfit
from infra.scripts.migration.sides import SPLIT_TARGET, Sides, send_clients
from infra.scripts.migration.watch import Watch

_BASELINE_PAUSE = 0.5
_PROOF_REQUESTS = 50
_BLIP_SECONDS = 30

Facts = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """`name` is the journal's; `what` the plan's, in words."""

    name: str
    what: str
    run: Callable[[Facts], Mapping[str, Any] | None]


class Forward:
    """Raises Refused, Unfit (go back) or ClientsRemain."""

    def __init__(self, sides: Sides, options: Options) -> None:
        self._sides = sides
        self._options = options
        self._say = sides.console.say

    def steps(self) -> list[Step]:
        given = self._options
        if given.switch_command:
            switch = f"run `{given.switch_command}` to send the clients to the API"
        else:
            switch = "tell whoever runs the clients to use the API's address"
        return [
            Step(
                "baseline",
                f"measure the monolith's share of errors for {given.baseline_seconds:.0f} s",
                self._baseline,
            ),
            Step(
                "start_pair",
                f"start {API} and {given.workers} x {WORKER} beside the monolith, wait until all "
                f"are healthy and ready ({given.ready_seconds:.0f} s at most)",
                self._start_pair,
            ),
            Step(
                "prove_pair",
                f"make {_PROOF_REQUESTS} searches at the API, write a test template and find it",
                self._prove_pair,
            ),
            Step(
                "switch",
                f"{switch}, wait until the monolith has had no request for "
                f"{given.quiet_seconds:.0f} s ({given.switch_seconds:.0f} s at most)",
                self._switch,
            ),
            Step(
                "stop_monolith",
                "stop the monolith; it hands back the events in hand, its container stays",
                self._stop_monolith,
            ),
            Step(
                "watch",
                f"watch the pair for {given.watch_seconds:.0f} s; when it does worse, go back",
                self._watch,
            ),
        ]

    def _baseline(self, _: Facts) -> Mapping[str, Any]:
        monolith = self._sides.service(MONOLITH)
        before = monolith.counters()
        failed, number, end = 0, 0, time.monotonic() + self._options.baseline_seconds
        while number == 0 or time.monotonic() < end:
            failed += monolith.probe(number) is not None
            number += 1
            self._sides.console.show(f"  {max(0.0, end - time.monotonic()):.0f} s to measure")
            time.sleep(_BASELINE_PAUSE)
        after = monolith.counters()
        if before is None or after is None or after.requests < before.requests:
            raise Refused("The monolith did not answer /metrics throughout; look at its log.")
        requests, errors = after.requests - before.requests, after.errors - before.errors
        # What got no answer at all is in no counter of the monolith's.
        rate = max(errors / max(1.0, requests), failed / number)
        self._say(f"  {requests:.0f} requests, {rate:.2%} errors")
        return {"error_rate": rate, "requests": requests}

    def _start_pair(self, _: Facts) -> None:
        try:
            self._sides.compose.up([API, WORKER], self._options.workers)
        except CommandFailed as error:
            raise Unfit(f"the pair could not be started: {error}") from None
        fault = self._sides.wait_until(self._sides.pair_fault, self._options.ready_seconds)
        if fault is not None:
            raise Unfit(f"the pair was not ready in {self._options.ready_seconds:.0f} s: {fault}")

    def _prove_pair(self, facts: Facts) -> None:
        api = self._sides.service(API)
        faults = [fault for n in range(_PROOF_REQUESTS) if (fault := api.probe(n)) is not None]
        if len(faults) / _PROOF_REQUESTS > facts["error_rate"] + self._options.tolerance:
            raise Unfit(
                f"{len(faults)} of {_PROOF_REQUESTS} searches failed; the last: {faults[-1]}"
            )
        if api.counters() is None:
            raise Unfit(f"{api.url}/metrics does not answer, so nobody could watch it")
        canary = Canary(api)
        if fault := canary.write():
            raise Unfit(f"a test template could not be written: {fault}")
        late = self._sides.wait_until(
            lambda: None if canary.found() else "the test template is not found yet",
            self._options.canary_seconds,
        )
        canary.remove()
        if late is not None:
            raise Unfit("a test template that the API took was not found in time")

    def _switch(self, _: Facts) -> None:
        new, old = self._sides.service(API).url, self._sides.service(MONOLITH).url
        if self._options.switch_command:
            if fault := send_clients(self._options.switch_command, SPLIT_TARGET, new):
                raise Unfit(fault)
        else:
            self._say(f"  both serve: let the clients use {new} in place of {old}")
        if not self._sides.wait_until_quiet(
            MONOLITH, self._options.quiet_seconds, self._options.switch_seconds
        ):
            raise ClientsRemain(f"Clients still ask the monolith ({old}); send them to {new}")

    def _stop_monolith(self, _: Facts) -> None:
        # Some minutes may have passed since it was looked at. One slow answer is no illness.
        if fault := self._sides.wait_until(self._sides.pair_fault, _BLIP_SECONDS):
            raise Unfit(f"the pair is not well any more: {fault}")
        monolith = self._sides.one(MONOLITH)
        if monolith is not None and monolith.running:
            self._sides.engine.stop(monolith)

    def _watch(self, facts: Facts) -> Mapping[str, Any]:
        watch = Watch(self._sides, self._options, facts["error_rate"])
        fault = watch.run(self._options.watch_seconds)
        self._say(f"  {watch.figures()}")
        if fault is not None:
            raise Unfit(fault)
        return {"canaries": watch.canaries}
