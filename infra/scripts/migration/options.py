"""The command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Options:
    """Seconds are of the clock on the wall; folders are absolute."""

    dry_run: bool
    rollback: bool
    yes: bool
    state_dir: Path
    compose_command: list[str]
    compose_options: list[str]
    switch_command: str
    workers: int
    baseline_seconds: float
    ready_seconds: float
    quiet_seconds: float
    switch_seconds: float
    watch_seconds: float
    stall_seconds: float
    canary_seconds: float
    canary_every: float
    # A share, as the baseline is.
    tolerance: float


def parse(arguments: Sequence[str]) -> Options:
    """Exits with 2 and a sentence for what cannot be."""
    parser = argparse.ArgumentParser(
        prog="migrate_to_split_services.sh",
        description="From the monolith to the API and its workers, and back if these do worse.",
        epilog="Exit codes and the journal: docs/migration.md.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="print the steps; change nothing")
    what.add_argument("--rollback", action="store_true", help="back to the monolith, at any time")
    parser.add_argument("--yes", action="store_true", help="do not ask, on a terminal either")
    parser.add_argument(
        "--switch-command",
        default="",
        metavar="COMMAND",
        help="shell command that sends clients to $MIGRATION_URL ($MIGRATION_TARGET: split or "
        "monolith); run again after an interruption",
    )
    parser.add_argument(
        "--workers", type=_count, default=1, metavar="N", help="workers to start (%(default)s)"
    )
    for name, default, what_for in (
        ("baseline", 30, "how long the monolith's error rate is measured"),
        ("ready", 300, "within which the pair, or the monolith, has to be ready"),
        ("quiet", 30, "without a request until a side counts as left by its clients"),
        ("switch", 600, "within which the clients have to have moved"),
        ("watch", 600, "how long the pair is watched before the migration is done"),
        ("stall", 300, "without a finished event while some wait: back"),
        ("canary", 60, "within which a test template has to be found: else back"),
        ("canary-every", 30, "between two test templates"),
    ):
        flag = f"--{name}" if name.endswith("every") else f"--{name}-seconds"
        parser.add_argument(
            flag, type=_seconds, default=default, metavar="S", help=f"{what_for} (%(default)s)"
        )
    parser.add_argument(
        "--error-percent",
        type=_percent,
        default=1,
        metavar="P",
        help="more errors than the baseline, of 100 requests: back (%(default)s)",
    )
    parser.add_argument(
        "--state-dir",
        type=Path,
        metavar="DIR",
        help="journal and lock (migration-state beside compose.yaml)",
    )
    compose = parser.add_argument_group("compose", "as for compose itself; COMPOSE_FILE works, too")
    compose.add_argument("-f", "--file", action="append", default=[], type=Path, metavar="FILE")
    compose.add_argument("-p", "--project-name", metavar="NAME")
    compose.add_argument("--project-directory", type=Path, default=_ROOT, metavar="DIR")
    compose.add_argument("--env-file", type=Path, metavar="FILE")
    compose.add_argument(
        "--compose", default="", metavar="PROGRAM", help="in place of docker compose"
    )
    given = parser.parse_args(arguments)
    return Options(
        dry_run=given.dry_run,
        rollback=given.rollback,
        yes=given.yes,
        state_dir=(given.state_dir or given.project_directory / "migration-state").absolute(),
        compose_command=given.compose.split(),
        compose_options=_compose_options(given),
        switch_command=given.switch_command,
        workers=given.workers,
        baseline_seconds=given.baseline_seconds,
        ready_seconds=given.ready_seconds,
        quiet_seconds=given.quiet_seconds,
        switch_seconds=given.switch_seconds,
        watch_seconds=given.watch_seconds,
        stall_seconds=given.stall_seconds,
        canary_seconds=given.canary_seconds,
        canary_every=given.canary_every,
        tolerance=given.error_percent / 100,
    )


def _compose_options(given: argparse.Namespace) -> list[str]:
    options = ["--project-directory", str(given.project_directory.absolute())]
    for file in given.file:
        options += ["--file", str(file.absolute())]
    if given.project_name:
        options += ["--project-name", given.project_name]
    if given.env_file:
        options += ["--env-file", str(given.env_file.absolute())]
    return options


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 <= float(text) < 1e6:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")


def _percent(text: str) -> float:
    with suppress(ValueError):
        if 0 <= float(text) <= 100:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 100")


def _count(text: str) -> int:
    with suppress(ValueError):
        if 1 <= int(text) <= 1000:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 1000")
