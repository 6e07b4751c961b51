"""Texts of mixed lengths, cut from the sample rule book, and rule books made of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from explanation_service.content.events import ContentEvent
from explanation_service.content.importer import read_jsonl
from explanation_service.content.sample import sample_rule_book_path
from explanation_service.content.template import TemplateDraft
from explanation_service.stores.mongodb import TemplateRepository

# Words of one text: a rule in one sentence up to two pages, as rule books have them.
SHORTEST, LONGEST = 5, 400
_WRITES_AT_ONCE = 16


def make_drafts(count: int, seed: int) -> list[TemplateDraft]:
    """Texts of 5 to 400 words, each another one; short ones more often."""
    words = [
        word for _, draft in read_jsonl(sample_rule_book_path()) for word in draft.body.split()
    ]
    draw = random.Random(seed)
    drafts = []
    for number in range(count):
        length = int(SHORTEST + (LONGEST - SHORTEST) * draw.random() ** 1.5)
        start = draw.randrange(len(words) - length)
        body = " ".join(words[start : start + length])
        drafts.append(TemplateDraft(title=f"Правило {seed}-{number}", body=body))
    return drafts


async def store(
    repository: TemplateRepository, drafts: Sequence[TemplateDraft], mark: str
) -> list[ContentEvent]:
    """Write the drafts under the ids MARK-0, MARK-1, ...; the events that would be in the stream,
    for whoever starts the clock to append."""
    events: list[ContentEvent] = []

    async def write(number: int) -> None:
        written = await repository.put(f"{mark}-{number}", drafts[number])
        await repository.clear_outbox(written.event.entity_id, written.event.event_id)
        events.append(written.event)

    for start in range(0, len(drafts), _WRITES_AT_ONCE):
        part = range(start, min(len(drafts), start + _WRITES_AT_ONCE))
        await asyncio.gather(*(write(number) for number in part))
    return events
