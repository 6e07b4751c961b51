"""`explanation dead-letters list|show|replay|drop`."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

from explanation_service.cli.connections import (
    add_store_options,
    open_dead_letters,
    settings_from,
)
from explanation_service.cli.faults import CommandFault
from explanation_service.stores.dead_letters import DeadLetter, DeadLetters

_PAGE = 500


def register(commands: Any) -> None:
    """Add the sub-command to the parser's sub-commands."""
    parser = commands.add_parser("dead-letters", help="events that were set aside")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="one line a letter, oldest first")
    listing.add_argument("--limit", type=int, default=100)
    showing = actions.add_parser("show", help="a letter as JSON")
    showing.add_argument("id")
    replaying = actions.add_parser("replay", help="put events back into the stream")
    dropping = actions.add_parser("drop", help="delete letters for good")
    for action in (replaying, dropping):
        which = action.add_mutually_exclusive_group(required=True)
        which.add_argument("--all", action="store_true", help="all that are there now")
        which.add_argument("ids", nargs="*", default=[], metavar="ID")
    works = ((listing, _list), (showing, _show), (replaying, _replay), (dropping, _drop))
    for action, work in works:
        add_store_options(action, "redis_url")
        action.set_defaults(run=run, work=work)


def run(options: argparse.Namespace) -> int:
    """Run one of the actions."""
    asyncio.run(_run(options))
    return 0


async def _run(options: argparse.Namespace) -> None:
    async with open_dead_letters(settings_from(options)) as letters:
        await options.work(letters, options)


async def _list(letters: DeadLetters, options: argparse.Namespace) -> None:
    for letter in await letters.list(limit=options.limit):
        at = letter.set_aside_at.isoformat(timespec="seconds")
        entity = letter.fields.get("entity_id", "-")
        print(f"{letter.id}\t{at}\t{letter.reason}\t{entity}")


async def _show(letters: DeadLetters, options: argparse.Namespace) -> None:
    letter = await _existing(letters, options.id)
    document = {
        "id": letter.id,
        "set_aside_at": letter.set_aside_at.isoformat(timespec="milliseconds"),
        "reason": letter.reason,
        "detail": letter.detail,
        "source_id": letter.source_id,
        "deliveries": letter.deliveries,
        "consumer": letter.consumer,
        "trace": letter.trace.splitlines(),
        "fields": letter.fields,
    }
    print(json.dumps(document, ensure_ascii=False, indent=2))


async def _replay(letters: DeadLetters, options: argparse.Namespace) -> None:
    count = 0
    for letter in await _chosen(letters, options):
        count += await letters.replay(letter) is not None
    print(f"{count} put back into the stream")


async def _drop(letters: DeadLetters, options: argparse.Namespace) -> None:
    count = 0
    for letter in await _chosen(letters, options):
        count += await letters.drop(letter.id)
    print(f"{count} dropped")


async def _chosen(letters: DeadLetters, options: argparse.Namespace) -> list[DeadLetter]:
    if not options.all:
        # All of them are looked up first, so that a mistyped id changes nothing.
        return [await _existing(letters, letter_id) for letter_id in options.ids]
    chosen: list[DeadLetter] = []
    while page := await letters.list(after=chosen[-1].id if chosen else None, limit=_PAGE):
        chosen += page
    return chosen


async def _existing(letters: DeadLetters, letter_id: str) -> DeadLetter:
    letter = await letters.get(letter_id)
    if letter is None:
        raise CommandFault(f"There is no dead letter {letter_id}.")
    return letter
