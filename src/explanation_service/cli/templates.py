"""`explanation templates import|export`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from explanation_service.cli.connections import add_store_options, open_content, settings_from
from explanation_service.cli.progress import Progress
from explanation_service.content.importer import (
    ImportReport,
    import_templates,
    read_jsonl,
    read_mawo_grammar,
)
from explanation_service.content.sample import sample_rule_book_path
from explanation_service.content.template import Template, TemplateDraft
from explanation_service.settings import Settings

# Written as in the file that `import` reads; version and time are the store's own.
_STORED_ONLY = {"version", "updated_at"}
# Why single templates were refused; the rest of a long list says the same.
_SHOWN_FAULTS = 10


def register(commands: Any) -> None:
    """Add the sub-command to the parser's sub-commands."""
    parser = commands.add_parser("templates", help="bring templates in or out")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    importing = actions.add_parser(
        "import", help="write templates of a file; what is there already is left alone"
    )
    importing.add_argument(
        "source",
        metavar="FILE|mawo-grammar|sample",
        help="a JSON Lines file, the rules of the package mawo-grammar, or the sample rule book",
    )
    exporting = actions.add_parser("export", help="print all templates as JSON Lines")
    for action, run in ((importing, run_import), (exporting, run_export)):
        add_store_options(action, "mongodb_uri", "redis_url")
        action.set_defaults(run=run)


def run_import(options: argparse.Namespace) -> int:
    """Import; exit code 1 when a template could not be stored."""
    settings = settings_from(options)
    # All of it before the first write: a fault in the last line leaves nothing half done.
    items = list(_read(options.source))
    report = asyncio.run(_import(settings, items))
    print(
        f"{report.created} created, {report.updated} updated, "
        f"{report.unchanged} unchanged, {report.failed} failed"
    )
    for fault in report.faults[:_SHOWN_FAULTS]:
        print(fault, file=sys.stderr)
    return 1 if report.failed else 0


def run_export(options: argparse.Namespace) -> int:
    """Export to stdout."""
    asyncio.run(_export(settings_from(options)))
    return 0


def _read(source: str) -> Iterable[tuple[str, TemplateDraft]]:
    if source == "mawo-grammar":
        return read_mawo_grammar()
    return read_jsonl(sample_rule_book_path() if source == "sample" else Path(source))


async def _import(settings: Settings, items: list[tuple[str, TemplateDraft]]) -> ImportReport:
    async with open_content(settings, publishing=True) as content:
        with Progress(len(items), "templates") as progress:
            return await import_templates(content.rule_book, items, progress.advance)


async def _export(settings: Settings) -> None:
    async with open_content(settings, publishing=False) as content:
        async for stored in content.repository.iterate_all():
            if stored.template is not None:
                print(_line(stored.template))


def _line(template: Template) -> str:
    fields = template.model_dump(mode="json", exclude=_STORED_ONLY, exclude_none=True)
    return json.dumps({"id": fields.pop("id"), **fields}, ensure_ascii=False)
