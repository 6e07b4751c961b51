"""Templates from files into the rule book; what is there already is not written again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from explanation_service.content.mawo_grammar import GrammarMissing, read_mawo_grammar
from explanation_service.content.rule_book import RuleBook
from explanation_service.content.template import Template, TemplateDraft, TemplateId
from explanation_service.stores.errors import StoreRejected

__all__ = [
    "GrammarMissing",
    "ImportFault",
    "ImportReport",
    "import_templates",
    "read_jsonl",
    "read_mawo_grammar",
]

# Templates that are compared in one round trip.
_BATCH = 100
# Writes under way; each takes four round trips, and more would only queue in the drivers' pools.
_CONCURRENCY = 8

_TEMPLATE_ID: TypeAdapter[str] = TypeAdapter(TemplateId)


class ImportFault(ValueError):
    """A line of the file is no template; the text is one sentence with its number."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path.name}, line {line}: {reason}.")
        self.line = line
        self.reason = reason


@dataclass(slots=True)
class ImportReport:
    """How many templates an import created, updated, found unchanged and could not store;
    `faults` says why, one text each."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    faults: list[str] = field(default_factory=list)


def read_jsonl(path: Path) -> Iterator[tuple[str, TemplateDraft]]:
    """Ids and drafts of a file with one template a line (UTF-8 JSON); empty lines are skipped.

    Raises ImportFault at the first line that is no template or repeats an id, and OSError.
    """
    seen: dict[str, int] = {}
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            if not raw.strip():
                continue
            try:
                # utf-8-sig: editors on Windows put a byte order mark before the first line.
                document = json.loads(raw.decode("utf-8-sig"))
                if not isinstance(document, dict):
                    raise ImportFault(path, number, "is no JSON object")
                if "id" not in document:
                    raise ImportFault(path, number, "id: field is missing")
                template_id = _TEMPLATE_ID.validate_python(document["id"])
                draft = TemplateDraft.model_validate(document)
            except UnicodeDecodeError:
                raise ImportFault(path, number, "is no UTF-8") from None
            except json.JSONDecodeError as error:
                raise ImportFault(path, number, f"is no JSON ({error.msg})") from None
            except ValidationError as error:
                raise ImportFault(path, number, _first_fault(error)) from None
            if template_id in seen:
                raise ImportFault(path, number, f"repeats the id of line {seen[template_id]}")
            seen[template_id] = number
            yield template_id, draft


async def import_templates(
    rule_book: RuleBook,
    items: Iterable[tuple[str, TemplateDraft]],
    progress: Callable[[int], object] | None = None,
) -> ImportReport:
    """Write what is new or differs. `progress` is called with the number of templates done since
    its last call (`tqdm.update` fits).

    Raises what `items` raises, and StoreUnavailable; what was written until then stays.
    """
    report = ImportReport()
    remaining = iter(items)
    while batch := list(islice(remaining, _BATCH)):
        stored = await rule_book.get_many([template_id for template_id, _ in batch])
        for start in range(0, len(batch), _CONCURRENCY):
            some = batch[start : start + _CONCURRENCY]
            outcomes = await asyncio.gather(
                *(_bring(rule_book, report, key, draft, stored.get(key)) for key, draft in some),
                return_exceptions=True,
            )
            for outcome in outcomes:
                if outcome is not None:
                    raise outcome
            if progress is not None:
                progress(len(some))
    return report


async def _bring(
    rule_book: RuleBook,
    report: ImportReport,
    template_id: str,
    draft: TemplateDraft,
    old: Template | None,
) -> None:
    if old is not None and old.draft() == draft:
        report.unchanged += 1
        return
    try:
        _, created = await rule_book.put(template_id, draft)
    except StoreRejected as error:
        report.failed += 1
        report.faults.append(f"{template_id}: {error}")
        return
    if created:
        report.created += 1
    else:
        report.updated += 1


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in first["loc"]) or "id"
    return f"{name}: {'field is missing' if first['type'] == 'missing' else first['msg']}"
