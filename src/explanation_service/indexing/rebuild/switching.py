"""The changes of the alias: to the new collection, back, and the end of the old one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from explanation_service.indexing.rebuild.faults import RebuildFault
from explanation_service.reconciliation.reconciler import Reconciler
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.index_collections import IndexCollections
from explanation_service.stores.rebuild_states import RebuildStates


async def roll_back(
    collections: IndexCollections,
    states: RebuildStates,
    compare: Reconciler,
) -> str:
    """Point the alias at the collection before the last switch, and put into the stream whatever
    changed since; what was done, in sentences. `compare` reads the index through the alias.

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
    events = (await compare.run(repair=True)).events
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
