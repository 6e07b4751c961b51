"""Brings the sample rule book into an empty MongoDB, once: `python -m ...sample_rules`.

What MongoDB holds decides. Without our note and with templates the rule book is somebody's own;
with the note "done" the sample has been here, and what was edited or deleted since stays so. A
start that was killed half-way leaves "under way": the next one adds the ids never used so far.
Prints the number of templates it wrote.
"""

from __future__ import annotations

import asyncio
import sys

from explanation_service.content.importer import import_templates, read_jsonl
from explanation_service.content.rule_book import RuleBook
from explanation_service.content.sample import sample_rule_book_path
from explanation_service.settings import Settings, load_settings
from explanation_service.stores.errors import StoreError
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.mongodb import (
    MongoStore,
    TemplateRepository,
    connect_mongodb,
    translated_errors,
)
from explanation_service.stores.redis import connect_redis

_NOTES = "standalone"
_NOTE = {"_id": "sample_rule_book"}
_UNDER_WAY, _DONE = "under way", "done"


async def bring_sample(settings: Settings) -> int:
    """The number of templates written. Raises StoreError."""
    store = connect_mongodb(settings)
    redis = connect_redis(settings)
    try:
        repository = TemplateRepository(store)
        state = await _state(store)
        if state == _DONE or (state is None and await _holds_anything(repository)):
            return 0
        await _note(store, _UNDER_WAY)
        stream = EventStream(redis, settings.redis_stream_name, settings.redis_stream_group)
        # The group before the first event, or a worker that comes later could start behind it.
        await stream.ensure_group()
        sample = dict(read_jsonl(sample_rule_book_path()))
        known = await repository.get_many(list(sample))
        fresh = [(key, draft) for key, draft in sample.items() if key not in known]
        report = await import_templates(RuleBook(repository, stream), fresh)
        await _note(store, _DONE)
        return report.created
    finally:
        await redis.aclose()
        await store.close()


async def _state(store: MongoStore) -> str | None:
    with translated_errors():
        note = await store.database[_NOTES].find_one(_NOTE)
    return None if note is None else str(note["state"])


async def _note(store: MongoStore, state: str) -> None:
    with translated_errors():
        await store.database[_NOTES].replace_one(_NOTE, {**_NOTE, "state": state}, upsert=True)


async def _holds_anything(repository: TemplateRepository) -> bool:
    async for _ in repository.iterate_all(1):
        return True
    return False


def main() -> int:
    try:
        print(asyncio.run(bring_sample(load_settings())))
    except StoreError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
