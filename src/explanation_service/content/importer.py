"""Templates from files into the rule book; what is there already is not written again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias, cast

from explanation_service.content.mawo_grammar import GrammarMissing, read_mawo_grammar
from explanation_service.content.rule_book import RuleBook
from explanation_service.content.template import Template, TemplateDraft
from explanation_service.content.template_lines import LineFault, TemplateLines
from explanation_service.stores.errors import StoreError, StoreRejected

__all__ = [
    "IMPORT_CONCURRENCY",
    "GrammarMissing",
    "ImportFault",
    "ImportReport",
    "Outcome",
    "bring_templates",
    "import_templates",
    "outcome_of",
    "read_jsonl",
    "read_mawo_grammar",
]

# Templates that are compared in one round trip.
_BATCH = 100
# Writes under way; each takes four round trips, and more would only queue in the drivers' pools.
IMPORT_CONCURRENCY = 8

Outcome: TypeAlias = Literal["created", "updated", "unchanged"]


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

    def count(self, template_id: str, outcome: Outcome | StoreError) -> None:
        """Add one outcome; raises it when it is a store that is away."""
        if isinstance(outcome, StoreRejected):
            self.failed += 1
            self.faults.append(f"{template_id}: {outcome}")
        elif isinstance(outcome, StoreError):
            raise outcome
        else:
            setattr(self, outcome, getattr(self, outcome) + 1)


def read_jsonl(path: Path) -> Iterator[tuple[str, TemplateDraft]]:
    """Ids and drafts of a file with one template a line (UTF-8 JSON); empty lines are skipped.

    Raises ImportFault at the first line that is no template or repeats an id, and OSError.
    """
    reader = TemplateLines()
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            if not raw.strip():
                continue
            try:
                item = reader.parse(number, raw)
            except LineFault as fault:
                raise ImportFault(path, number, str(fault)) from None
            yield item


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
        for start in range(0, len(batch), IMPORT_CONCURRENCY):
            some = batch[start : start + IMPORT_CONCURRENCY]
            outcomes = await bring_templates(rule_book, some, stored)
            for (template_id, _), outcome in zip(some, outcomes, strict=True):
                report.count(template_id, outcome)
            if progress is not None:
                progress(len(some))
    return report


async def bring_templates(
    rule_book: RuleBook,
    items: Sequence[tuple[str, TemplateDraft]],
    stored: Mapping[str, Template],
) -> list[Outcome | StoreError]:
    """Write those that are new or differ from what is `stored`, all at once; an outcome or an error
    for each, in their order."""
    outcomes = await asyncio.gather(
        *(_bring(rule_book, key, draft, stored.get(key)) for key, draft in items),
        return_exceptions=True,
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, StoreError):
            raise outcome
    return cast("list[Outcome | StoreError]", outcomes)


async def _bring(
    rule_book: RuleBook, template_id: str, draft: TemplateDraft, old: Template | None
) -> Outcome:
    if outcome_of(draft, old) == "unchanged":
        return "unchanged"
    _, created = await rule_book.put(template_id, draft)
    return "created" if created else "updated"


def outcome_of(draft: TemplateDraft, old: Template | None) -> Outcome:
    """What becomes of a draft where `old` is stored."""
    if old is None:
        return "created"
    return "unchanged" if old.draft() == draft else "updated"
