"""Is anything lost, stale or back from the dead, whatever dies when?

    python -m bench.chaos [--events 10000] [--workers 3] [--seed 1] [--model toy|DIR]

Editors create, edit, delete and unpublish rules, and their events come twice, late and in disorder,
while workers are killed every 3 s, Redis is restarted twice, Qdrant and MongoDB are killed and away
for 20 s each, and Qdrant and a worker are stopped for a while and go on (SIGSTOP). One event in a
hundred is poison: the model fails at it, some kill the worker, some are no events. Afterwards every
point of the index is compared with the rule book. Exit code 1 when anything is wrong with it, a
fault was never recovered from, or a worker ended by itself.

Nothing compares the rule book with the index meanwhile (RECONCILE_INTERVAL_SECONDS is 0), for that
would mend what the workers broke.

The servers are the embedded ones, each its own process; the workers are the shipped worker around a
toy model that sleeps, since loading the real one takes longer than a worker lives here. `--model
DIR` takes the shipped program with a real model instead: give it fewer kills (`--kill-every 30`).
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from bench.chaos_faults import Timing
from bench.chaos_report import summary, table
from bench.chaos_run import ChaosRun, Options
from bench.toy_model import ToyModel
from bench.worker_processes import real_kind, toy_kind
from explanation_service.cli.progress import Progress
from explanation_service.indexing.backends.torch import TorchEncoder
from explanation_service.indexing.model_directory import ModelSource
from explanation_service.standalone.terminal import Terminal
from explanation_service.telemetry.logging import configure_logging

SECONDS_PER_TEXT = 0.01
# Events for each template.
_EVENTS_A_TEMPLATE = 5


def read_options() -> Options:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--templates", type=int, help="a fifth of the events by default")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default="toy", help="toy, or a real model's directory")
    parser.add_argument("--lease", type=float, default=15.0, help="seconds, toy model only")
    for name, seconds in vars(Timing()).items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=float, default=seconds, help="seconds, see Timing")
    given = parser.parse_args()
    toy = given.model == "toy"
    directory = Path(given.model)
    return Options(
        events=given.events,
        templates=given.templates or max(1, given.events // _EVENTS_A_TEMPLATE),
        workers=given.workers,
        seed=given.seed,
        timing=Timing(**{name: getattr(given, name) for name in vars(Timing())}),
        kind=toy_kind(SECONDS_PER_TEXT, given.lease) if toy else real_kind(directory),
        encoder=ToyModel if toy else lambda: TorchEncoder(ModelSource(directory.name, directory)),
        vectors=toy,
    )


def main() -> int:
    """See the module."""
    options = read_options()
    configure_logging("ERROR", "bench")
    terminal = Terminal()
    terminal.say(f"{options.workers} workers, each {options.kind.what}; seed {options.seed}")
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    done = 0
    with Progress(options.events, "events") as bar:

        def progress(count: int) -> None:
            nonlocal done
            bar.advance(count - done)
            done = count

        outcome = asyncio.run(ChaosRun(folder, options, terminal.say, progress).run())
    terminal.result([*table(outcome.recoveries), "", *summary(outcome.totals, outcome.verdict)])
    if outcome.clean:
        shutil.rmtree(folder)
        return 0
    terminal.say(f"logs and data: {folder}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
