"""The dry run: what a rebuild would do, and how long it would take."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tqdm import tqdm

from explanation_service.indexing.batching import plan_batches
from explanation_service.indexing.chunker import Chunker, normalise_body
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.rebuild.target import choose_target
from explanation_service.indexing.rebuild.verification import Verification
from explanation_service.indexing.rebuild.workshop import Workshop
from explanation_service.stores.mongodb import StoredTemplate

# Templates embedded for the estimate, about two seconds of work.
SAMPLE = 32


async def describe(shop: Workshop) -> str:
    """The plan as a table. Changes nothing; raises RebuildFault as the rebuild would."""
    alias, info = shop.collections.alias, shop.encoder.info
    served = await shop.collections.served()
    state = await shop.states.get(alias)
    target = choose_target(alias, info.revision, served, state, shop.options.force)
    connections, patience = shop.connections, Patience()
    new = connections.index.for_collection(target)
    exists = target in await shop.collections.names()
    old_count = await connections.index.count()
    if exists:
        scan = connections.scan.for_collection(target)
        verification = Verification(connections.repository, new, scan, info.revision, patience)
        found = await verification.compare_all()
        documents, searchable, ids = found.documents, found.searchable, found.differing
    else:
        documents, searchable, ids = await _searchable_ids(shop)
    speed = await _measure(shop, ids)
    rows = [
        ("index", f"{alias}, now {served} with {old_count} passages"),
        ("model", f"{info.name}, revision {info.revision}, {info.dimension} dimensions"),
        ("new collection", f"{target}, {await new.count() if exists else 0} passages so far"),
        ("templates", f"{documents} in MongoDB, {searchable} searchable, {len(ids)} to embed"),
        ("questions", str(shop.options.questions or "the titles of the rule book")),
    ]
    if speed is not None:
        passages_each, rate = speed
        limit = shop.options.rate
        seconds = len(ids) * passages_each / min(rate, limit or rate)
        rows += [
            ("measured", f"{rate:.1f} passages a second, {passages_each:.1f} passages a template"),
            ("time", f"about {tqdm.format_interval(seconds)} (h:mm:ss), the gate not counted"),
        ]
    width = max(len(name) for name, _ in rows)
    table = "\n".join(f"{name:<{width}}  {text}" for name, text in rows)
    return f"{table}\nNothing was changed."


async def _searchable_ids(shop: Workshop) -> tuple[int, int, list[str]]:
    documents, ids = 0, []
    async for stored in shop.connections.repository.iterate_all():
        documents += 1
        if _text_of(stored) is not None:
            ids.append(stored.id)
    return documents, len(ids), ids


async def _measure(shop: Workshop, ids: Sequence[str]) -> tuple[float, float] | None:
    """Passages a template, and passages a second, from a sample; None without a template."""
    step = max(1, len(ids) // SAMPLE)
    stored = await shop.connections.repository.get_many(ids[::step][:SAMPLE])
    texts = [text for one in stored.values() if (text := _text_of(one)) is not None]
    if not texts:
        return None
    encoder = shop.encoder
    chunker = Chunker(
        encoder.token_spans, encoder.info.max_tokens, len(encoder.passage_ids([""])[0])
    )
    started = time.monotonic()
    rows = [
        row
        for title, body in texts
        for row in encoder.passage_ids(
            [chunk.embedded_text for chunk in chunker.split(title, normalise_body(body))]
        )
    ]
    for batch in plan_batches([len(row) for row in rows], shop.max_batch_tokens):
        await shop.thread.embed_passages([rows[at] for at in batch.positions])
    seconds = max(1e-9, time.monotonic() - started)
    return len(rows) / len(texts), len(rows) / seconds


def _text_of(stored: StoredTemplate) -> tuple[str, str] | None:
    template = stored.template
    if template is None or template.status != "published":
        return None
    return template.title, template.body
