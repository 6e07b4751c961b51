"""Back to the monolith: it serves again before anything of the pair is stopped."""

from __future__ import annotations

from infra.scripts.migration.canary import Canary
from infra.scripts.migration.compose import API, MONOLITH, WORKER
from infra.scripts.migration.engine import CommandFailed
from infra.scripts.migration.journal import Journal
from infra.scripts.migration.options import Options
from infra.scripts.migration.outcomes import ClientsRemain, RollbackIncomplete
from infra.scripts.migration.sides import MONOLITH_TARGET, Sides, send_clients

PLAN = [
    "start the container of the monolith again, wait until it is healthy and its worker ready",
    "send the clients back (the switch command, or whoever runs them)",
    "stop the workers of the pair; they hand back the events in hand",
    "stop the API of the pair once it has had no request for a while",
]


class Back:
    """Every part may run twice, from any state."""

    def __init__(self, sides: Sides, options: Options, journal: Journal) -> None:
        self._sides = sides
        self._options = options
        self._journal = journal
        self._say = sides.console.say

    def run(self, switched: bool) -> None:
        """`switched`: clients may have been sent to the API. Raises RollbackIncomplete, with the
        pair as it is, or ClientsRemain."""
        self._start_monolith()
        monolith = self._sides.one(MONOLITH)
        assert monolith is not None and monolith.url is not None
        self._journal.write("rollback", "monolith_serves")
        self._say(f"  the monolith serves: {monolith.url}")
        if switched:
            self._send_clients_back(monolith.url)
        # Also where its own API is gone: the rule book is the same behind both.
        Canary(self._sides.service(MONOLITH)).remove()
        self._stop(WORKER)
        if switched and not self._sides.wait_until_quiet(
            API, self._options.quiet_seconds, self._options.switch_seconds
        ):
            raise ClientsRemain(
                f"Clients still ask the API of the pair, which goes on; send them to {monolith.url}"
            )
        self._stop(API)

    def _start_monolith(self) -> None:
        try:
            found = self._sides.one(MONOLITH)
            if found is None:
                self._sides.compose.up([MONOLITH])
            elif not found.running:
                # The very container that served before, whatever the compose files say by now.
                self._sides.engine.start(found)
        except CommandFailed as error:
            raise RollbackIncomplete(f"The monolith does not start: {error}") from None
        fault = self._sides.wait_until(self._sides.monolith_fault, self._options.ready_seconds)
        if fault is not None:
            raise RollbackIncomplete(f"The monolith started and is not well: {fault}")

    def _send_clients_back(self, url: str) -> None:
        if not self._options.switch_command:
            self._say(f"  let the clients use {url} again")
        elif fault := send_clients(self._options.switch_command, MONOLITH_TARGET, url):
            # Both serve; the wait for the clients tells whether they went.
            self._say(f"  {fault}")

    def _stop(self, service: str) -> None:
        for container in self._sides.engine.containers(service):
            if container.status in ("running", "restarting"):
                self._sides.engine.stop(container)
                self._say(f"  {service} stopped")
