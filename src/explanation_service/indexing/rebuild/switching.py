"""The changes of the alias: to the new collection, back, and the end of the old one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from explanation_service.indexing.patience import Patience
from explanation_service.indexing.plan import is_searchable
from explanation_service.indexing.rebuild.faults import RebuildFault
from explanation_service.indexing.rebuild.verification import pages
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.index_collections import IndexCollections
from explanation_service.stores.mongodb import StoredTemplate, TemplateRepository
from explanation_service.stores.rebuild_states import RebuildStates
from explanation_service.stores.records import IndexedState
from explanation_service.stores.vector_index import VectorIndex


async def roll_back(
    collections: IndexCollections,
    states: RebuildStates,
    repository: TemplateRepository,
    stream: EventStream,
    index: VectorIndex,
) -> str:
    """Point the alias at the collection before the last switch, and put into the stream whatever
    changed since; what was done, in sentences.

    Raises RebuildFault where there is nothing to go back to.
    """
    alias = collections.alias
    state, served = await states.get(alias), await collections.served()
    if state is None or state.kept is None or served is None:
        raise RebuildFault(f"There is nothing to go back to: no change of {alias} is on record.")
    if state.phase == "rolled_back":
        raise RebuildFault(
            f"The index {alias} was rolled back to {served} already; rebuild-embeddings brings "
            f"{state.collection} up to date and changes over again."
        )
    if served != state.collection and state.phase != "rolling_back":
        raise RebuildFault(f"There is nothing to go back to: {alias} is still {served}.")
    if state.kept not in await collections.names():
        raise RebuildFault(f"The collection {state.kept} to go back to was deleted.")
    # Written down first: who dies before the end finds out here that it was not reached.
    await states.put(alias, replace(state, phase="rolling_back"))
    if served != state.kept:
        await collections.switch(state.kept)
    events = await _put_differences(repository, stream, index.for_collection(state.kept))
    await states.put(alias, replace(state, phase="rolled_back", kept=state.collection))
    return (
        f"{alias} is {state.kept} again, {state.collection} is kept.\n"
        f"{events} templates that changed since are in the stream for workers of that model; index "
        "workers of the other one stop by themselves."
    )


async def drop_old(collections: IndexCollections, states: RebuildStates) -> str:
    """Delete what is kept for a rollback; what was done. Raises RebuildFault where there is
    nothing."""
    alias = collections.alias
    state, served = await states.get(alias), await collections.served()
    if state is not None and state.phase not in ("switched", "rolled_back"):
        raise RebuildFault(
            f"A rebuild of {alias} has not come to its end: run it again, or give it up with "
            "--abandon."
        )
    kept = [] if state is None else [state.kept, *state.leftovers]
    names = [name for name in kept if name is not None and name != served]
    if state is None or not names:
        raise RebuildFault(f"No old collection of {alias} is kept.")
    for name in names:
        await collections.drop(name)
    await states.put(alias, replace(state, phase="switched", kept=None, leftovers=()))
    return f"Deleted: {', '.join(names)}."


async def abandon(
    collections: IndexCollections,
    states: RebuildStates,
    stream_for: Callable[[str], EventStream],
) -> str:
    """Give up a rebuild that has not come to its end; what was done. Raises RebuildFault where
    there is none. `stream_for` gives the stream as the rebuild of a collection reads it."""
    alias = collections.alias
    state, served = await states.get(alias), await collections.served()
    if state is None or state.phase not in ("filling", "refused") or state.collection == served:
        raise RebuildFault(f"There is no rebuild of {alias} to give up.")
    await stream_for(state.collection).drop_group()
    await collections.drop(state.collection)
    if state.leftovers:
        first, *others = state.leftovers
        left = replace(state, phase="switched", kept=first, leftovers=tuple(others))
        await states.put(alias, replace(left, collection=served or "", after="", done=0))
    else:
        await states.forget(alias)
    return f"{state.collection} is deleted; {alias} is still {served}."


async def _put_differences(
    repository: TemplateRepository, stream: EventStream, index: VectorIndex
) -> int:
    """An event for each template that the collection does not hold in its version; how many. By
    version alone, for hashes need the model that made the collection."""
    count = 0
    async for page in pages(repository, Patience()):
        states = await index.indexed_state([stored.id for stored in page])
        events = [one.event() for one in page if not _is_right(one, states.get(one.id))]
        if events:
            await stream.append_many(events)
        count += len(events)
    return count


def _is_right(stored: StoredTemplate, state: IndexedState | None) -> bool:
    if not is_searchable(stored):
        return state is None
    return state is not None and state.version == stored.version
