"""`explanation reconcile`: the rule book against the index, and the events that mend it."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from explanation_service.cli.connections import add_store_options, settings_from
from explanation_service.cli.faults import CommandFault
from explanation_service.cli.progress import Progress
from explanation_service.reconciliation.findings import Kind
from explanation_service.reconciliation.reconciler import Reconciler
from explanation_service.reconciliation.report import Report
from explanation_service.settings import Settings
from explanation_service.stores.embedding_channel import QueryEmbeddingClient
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.mongodb import TemplateRepository, connect_mongodb
from explanation_service.stores.redis import close, connect_redis, ping
from explanation_service.stores.vector_scan import VectorScan, connect_vector_scan

# The exit code for differences that are there still.
EXIT_DIFFERENCES = 1
# Seconds between looks at the stream.
_LOOK_EVERY = 0.5


@dataclass(frozen=True)
class _Stores:
    repository: TemplateRepository
    index: VectorScan
    stream: EventStream
    reconciler: Reconciler


def register(commands: Any) -> None:
    """Add the sub-command to the parser's sub-commands."""
    parser = commands.add_parser(
        "reconcile",
        help="compare the rule book with the index",
        description="Compare the rule book with the index. Exit code 1: they differ, and no events "
        "were sent to change that (or something failed, then a sentence on stderr says so).",
    )
    parser.add_argument(
        "--repair", action="store_true", help="let the workers put right what differs"
    )
    parser.add_argument(
        "--wait",
        type=float,
        metavar="SECONDS",
        help="with --repair: until the workers are done, at most so long; then compare once more",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object in place of a table")
    add_store_options(parser, "mongodb_uri", "redis_url")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare, and repair where that is asked for."""
    if options.wait is not None and not options.repair:
        raise CommandFault("--wait goes with --repair.")
    return asyncio.run(_run(settings_from(options), options))


async def _run(settings: Settings, options: argparse.Namespace) -> int:
    async with _stores(settings) as stores:
        report = await _compare(stores, repair=options.repair)
        left = report.found - report.events if options.repair else report.found
        status = await stores.stream.status()
        busy = status.lag + status.pending
        if options.json:
            print(json.dumps(_as_json(report, busy), ensure_ascii=False))
        else:
            _print(report, busy, options.repair)
        if options.wait is None or not report.events:
            return EXIT_DIFFERENCES if left else 0
        await _until_drained(stores.stream, options.wait)
        after = await _compare(stores, repair=False)
        if options.json:
            print(json.dumps(_as_json(after, 0), ensure_ascii=False))
        else:
            print("\nAfter the workers were done:")
            _print(after, 0, repaired=False)
        return EXIT_DIFFERENCES if after.found else 0


async def _compare(stores: _Stores, repair: bool) -> Report:
    total = await stores.repository.count() + await stores.index.count()
    with Progress(total, "read") as progress:
        return await stores.reconciler.run(repair, progress.advance)


async def _until_drained(stream: EventStream, seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        status = await stream.status()
        if status.lag + status.pending == 0:
            return
        if time.monotonic() >= until:
            raise CommandFault(
                f"After {seconds:g} s the workers have {status.lag + status.pending} events left."
            )
        await asyncio.sleep(_LOOK_EVERY)


def _print(report: Report, busy: int, repaired: bool) -> None:
    if report.found:
        print(f"{'differs':<12}{'templates':>9}  for example")
        for kind in Kind:
            if report.counts[kind]:
                shown = ", ".join(report.examples[kind])
                print(f"{kind.value:<12}{report.counts[kind]:>9}  {shown}")
    print(
        f"{report.templates} templates and {report.passages} passages compared in "
        f"{report.seconds:.1f} s, {report.found or 'no'} "
        f"difference{'' if report.found == 1 else 's'}."
    )
    if report.invalid:
        print(f"{report.invalid} documents are no templates and so cannot be searched.")
    if not report.by_content:
        print("Only versions were compared: it is not known which model made the index.")
    if repaired and report.found:
        print(f"{report.events} events were sent to the workers.")
        if report.events < report.found:
            print("No event can name the others: their ids are none of templates.")
    elif report.found and busy:
        print(f"{busy} events are with the workers yet; some of this may be in them.")


def _as_json(report: Report, busy: int) -> dict[str, Any]:
    return {
        "templates": report.templates,
        "passages": report.passages,
        "invalid": report.invalid,
        "compared": "content" if report.by_content else "version",
        "differences": {
            kind.value: {
                "count": report.counts[kind],
                "examples": report.examples.get(kind, []),
            }
            for kind in Kind
        },
        "events_sent": report.events,
        "events_with_workers": busy,
        "seconds": round(report.seconds, 3),
    }


@asynccontextmanager
async def _stores(settings: Settings) -> AsyncIterator[_Stores]:
    async with AsyncExitStack() as stack:
        mongodb = connect_mongodb(settings)
        stack.push_async_callback(mongodb.close)
        redis = connect_redis(settings)
        stack.push_async_callback(close, redis)
        index = connect_vector_scan(settings)
        stack.push_async_callback(index.close)
        await ping(redis)
        # It sends nothing, so one client does for both of its parts.
        model = await QueryEmbeddingClient(redis, redis).current_model()
        repository = TemplateRepository(mongodb)
        stream = EventStream(redis, settings.redis_stream_name, settings.redis_stream_group)
        revision = None if model is None else model.revision
        yield _Stores(repository, index, stream, Reconciler(repository, index, stream, revision))
