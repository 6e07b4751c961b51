"""The two sides of a migration: the monolith and the pair, and what is asked of both."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable

from infra.scripts.migration.compose import API, MONOLITH, WORKER, Compose
from infra.scripts.migration.console import Console
from infra.scripts.migration.engine import CommandFailed, Container, Engine
from infra.scripts.migration.outcomes import Unfit
from infra.scripts.migration.service import Counters, Service, processed_in

SPLIT_TARGET, MONOLITH_TARGET = "split", "monolith"
# A container that ended so often does not start; unless-stopped would try for ever.
_RESTARTS = 3
_POLL = 0.5


class Sides:
    """Containers and addresses, asked anew each time: both sides come and go."""

    def __init__(self, engine: Engine, compose: Compose, console: Console) -> None:
        self.engine = engine
        self.compose = compose
        self.console = console

    def one(self, service: str) -> Container | None:
        found = self.engine.containers(service)
        return found[0] if found else None

    def service(self, name: str) -> Service:
        """The API or the monolith at its published port; raises Unfit when it has none."""
        container = self.one(name)
        if container is None or container.url is None:
            raise Unfit(f"{name} does not run with a published port")
        return Service(container.url, keys_of(container))

    def counters(self, name: str) -> Counters | None:
        """None when it does not run or does not answer."""
        container = self.one(name)
        if container is None or container.url is None:
            return None
        return Service(container.url, {}).counters()

    def processed(self) -> float | None:
        """Events that the pair's workers have finished; None when no worker says so."""
        try:
            workers = [one for one in self.engine.containers(WORKER) if one.running]
        except CommandFailed:
            return None
        texts = [self.engine.get(worker, "http://127.0.0.1:8000/metrics") for worker in workers]
        known = [processed_in(text) for text in texts if text is not None]
        return sum(known) if known else None

    def pair_fault(self) -> str | None:
        """What the pair lacks; raises Unfit when waiting is of no use."""
        api, workers = self.one(API), self.engine.containers(WORKER)
        if api is None or not workers:
            return "a container of the pair is missing"
        for name, one in [(API, api), *((WORKER, worker) for worker in workers)]:
            if one.restarts >= _RESTARTS or one.status in ("exited", "dead"):
                words = self.engine.last_words(one)
                raise Unfit(f"{name} ended again and again, exit code {one.exit_code}: {words}")
        if not api.healthy or api.url is None:
            return f"{API} is {api.status}, {api.health}"
        if fault := Service(api.url, {}).ready_fault():
            return f"{API}: {fault}"
        for worker in workers:
            if not worker.healthy:
                return f"{WORKER} is {worker.status}, {worker.health}"
            if self.engine.get(worker, "http://127.0.0.1:8000/health/ready") is None:
                return f"{WORKER} is not ready"
        return None

    def monolith_fault(self) -> str | None:
        """What the monolith lacks, its worker within included."""
        monolith = self.one(MONOLITH)
        if monolith is None or monolith.url is None:
            return f"{MONOLITH} does not run"
        if not monolith.healthy:
            return f"{MONOLITH} is {monolith.status}, {monolith.health}"
        if fault := Service(monolith.url, {}).ready_fault():
            return f"{MONOLITH}: {fault}"
        port = monolith.environment.get("WORKER_PORT", "8001")
        if self.engine.get(monolith, f"http://127.0.0.1:{port}/health/ready") is None:
            return f"the worker within {MONOLITH} is not ready"
        return None

    def wait_until(self, fault: Callable[[], str | None], seconds: float) -> str | None:
        """None as soon as there is no fault, else the one that lasted."""
        end = time.monotonic() + seconds
        last: str | None = None
        while (found := fault()) is not None:
            if found != last:
                self.console.say(f"  waiting: {found}")
                last = found
            if time.monotonic() >= end:
                return found
            self.console.show(f"  {end - time.monotonic():.0f} s left")
            time.sleep(_POLL)
        return None

    def wait_until_quiet(self, name: str, quiet: float, seconds: float) -> bool:
        """Whether it had no request of a client for `quiet` seconds. One that does not run, or
        does not answer, has no clients either."""
        end = time.monotonic() + seconds
        since, last = time.monotonic(), self.counters(name)
        while True:
            now = time.monotonic()
            if now - since >= quiet:
                return True
            if now >= end:
                return False
            self.console.show(f"  quiet for {now - since:.0f} of {quiet:.0f} s")
            time.sleep(_POLL)
            counters = self.counters(name)
            if counters is not None and (last is None or counters.of_clients != last.of_clients):
                since, last = time.monotonic(), counters


def keys_of(container: Container) -> dict[str, str]:
    """The first of each kind of key that the container was given; an admin key may read, too."""
    first = {
        name: next((key.strip() for key in container.environment.get(name, "").split(",")), "")
        for name in ("API_KEYS", "ADMIN_API_KEYS")
    }
    keys = {
        "reader": first["ADMIN_API_KEYS"] or first["API_KEYS"],
        "writer": first["ADMIN_API_KEYS"],
    }
    return {name: key for name, key in keys.items() if key}


def send_clients(command: str, target: str, url: str) -> str | None:
    """Run the operator's own command; what is wrong with its end, in a sentence."""
    variables = {**os.environ, "MIGRATION_TARGET": target, "MIGRATION_URL": url}
    try:
        done = subprocess.run(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            env=variables,
        )
    except subprocess.TimeoutExpired:
        return "the switch command did not end within 120 s"
    if done.returncode == 0:
        return None
    words = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
    return f"the switch command ended with {done.returncode}: {words}"
