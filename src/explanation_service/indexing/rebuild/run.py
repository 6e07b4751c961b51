"""The rebuild from its beginning to the switch."""

from __future__ import annotations

from dataclasses import replace

from explanation_service.cli.progress import Progress
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.rebuild.comparing import compare_with_served
from explanation_service.indexing.rebuild.faults import GateRefused, Interrupted, RebuildFault
from explanation_service.indexing.rebuild.follower import Follower
from explanation_service.indexing.rebuild.gate import table
from explanation_service.indexing.rebuild.pace import Pace
from explanation_service.indexing.rebuild.reembedding import Reembedder
from explanation_service.indexing.rebuild.repair import Repair
from explanation_service.indexing.rebuild.target import choose_target, is_open
from explanation_service.indexing.rebuild.verification import Verification, pages
from explanation_service.indexing.rebuild.workshop import Workshop
from explanation_service.stores.rebuild_states import RebuildState
from explanation_service.stores.records import SearchFilters, SparseVector
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Templates between two notes of how far we are. What was embedded of a page before a kill is found
# by its hash, so a larger one costs nothing but a look.
PAGE = 128
# A term of every other Russian text: the search that tells how quick searches are.
_PROBE = SparseVector((1,), (1.0,))


class Rebuild:
    """One run; `run` it once."""

    def __init__(self, shop: Workshop, served: str, state: RebuildState) -> None:
        connections, info = shop.connections, shop.encoder.info
        self._shop = shop
        self._served = served
        self._state = state
        self._new = connections.index.for_collection(state.collection)
        self._patience = Patience(lambda: self._create())
        self._reembedder = Reembedder(
            connections.repository,
            self._new,
            connections.stream,
            shop.encoder,
            shop.thread,
            shop.max_batch_tokens,
            self._patience,
            shop.stopped,
        )
        self._follower = Follower(
            shop.stream_for(state.collection),
            self._reembedder,
            self._patience,
        )
        self._verification = Verification(
            connections.repository,
            self._new,
            connections.scan.for_collection(state.collection),
            info.revision,
            self._patience,
        )
        self._pace = Pace(shop.options.rate, self._probe)

    async def run(self) -> str:
        """The whole of it; what was done, in sentences.

        Raises GateRefused, another RebuildFault, or Interrupted; the alias has not moved then.
        """
        if self._state.collection == self._served:
            # The run before died between the switch and its end.
            return await self._finish()
        await self._patience.through(self._create)
        await self._follower.start()
        if self._state.after and await self._verification.count() == 0:
            await self._note(after="", done=0)
        await self._note(phase="filling")
        await self._fill()
        await self._verify()
        await self._judge()
        await self._follower.catch_up()
        if self._follower.missed:
            await self._verify()
        return await self._switch()

    async def _create(self) -> None:
        dimension = self._shop.encoder.info.dimension
        await self._shop.collections.create(self._state.collection, dimension)

    async def _probe(self) -> object:
        index = self._shop.connections.index
        return await index.search(None, _PROBE, SearchFilters(), 10)

    async def _fill(self) -> None:
        repository = self._shop.connections.repository
        total = await self._patience.through(repository.count)
        # The run before may have died within the first page.
        careful = bool(self._state.after)
        with Progress(total, "templates", done=self._state.done, with_rate=True) as progress:
            async for page in pages(repository, self._patience, self._state.after, PAGE):
                before = self._reembedder.passages
                ids = [one.id for one in page]
                await self._reembedder.bring_up_to_date(ids, careful, progress.advance)
                careful = False
                await self._follower.catch_up()
                await self._note(after=page[-1].id, done=self._state.done + len(page))
                await self._pace.after(self._reembedder.passages - before)

    async def _verify(self) -> None:
        """Until the collection holds what MongoDB holds. Raises RebuildFault when the new model
        cannot embed something that is found now."""
        repair = Repair(self._verification, self._reembedder, self._follower, self._patience)
        failed = await repair.run()
        old = self._shop.connections.index.for_collection(self._served)
        found_now = await self._patience.through(lambda: old.indexed_state(failed))
        if found_now:
            shown = ", ".join(sorted(found_now)[:10])
            raise RebuildFault(
                f"{len(found_now)} templates could not be embedded by the new model ({shown}): put "
                "them right or make them drafts (the log says why), and run this again."
            )
        self._shop.say(
            f"verified: {repair.searchable} templates, {repair.chunks} passages, as in MongoDB"
            + (f"; {len(failed)} that are not found now either are left out" if failed else "")
        )

    async def _judge(self) -> None:
        verdicts, asked = await compare_with_served(self._shop, self._served, self._new)
        if not verdicts:
            self._shop.say("the rule book is empty, so there is nothing to compare")
            return
        print(table(verdicts, asked), flush=True)
        if not all(verdict.passed for verdict in verdicts):
            await self._note(phase="refused")
            await self._follower.end()
            raise GateRefused(
                f"The new collection finds too few right answers, so nothing was changed; "
                f"{self._state.collection} is kept: run this again with another --tolerance or "
                "--questions, or give it up with --abandon."
            )

    async def _switch(self) -> str:
        kept, forgotten = self._served, (self._state.kept, *self._state.leftovers)
        leftovers = tuple(
            name
            for name in dict.fromkeys(forgotten)
            if name is not None and name not in (kept, self._state.collection)
        )
        await self._note(phase="switching", kept=kept, leftovers=leftovers)
        await self._patience.through(lambda: self._shop.collections.switch(self._state.collection))
        return await self._finish()

    async def _finish(self) -> str:
        """Take over what came in before the switch: a worker of the old model acknowledges nothing
        that it read later, so whatever it acknowledged is in the stream by now."""
        await self._follower.start()
        await self._follower.catch_up()
        await self._follower.end()
        await self._note(phase="switched")
        state, alias = self._state, self._shop.collections.alias
        return (
            f"{self._reembedder.templates} templates ({self._reembedder.passages} passages) were "
            f"embedded in this run.\n"
            f"{alias} is {state.collection} now. Start workers of this model; index workers of the "
            f"other one stop by themselves.\n"
            f"--rollback goes back to {state.kept}, --drop-old deletes it."
        )

    async def _note(self, **changes: object) -> None:
        self._state = replace(self._state, **changes)  # type: ignore[arg-type]
        alias, states = self._shop.collections.alias, self._shop.states
        await self._patience.through(lambda: states.put(alias, self._state))


async def rebuild(shop: Workshop) -> str:
    """Start a rebuild, or go on with the one that did not come to its end; see Rebuild.run."""
    alias, revision = shop.collections.alias, shop.encoder.info.revision
    state, served = await shop.states.get(alias), await shop.collections.served()
    target = choose_target(alias, revision, served, state, shop.options.force)
    assert served is not None
    if state is not None and state.collection == target and is_open(state, served):
        if state.phase == "rolled_back":
            state = replace(state, after="", done=0)
        shop.say(f"going on with {target}: {state.done} templates were brought in before")
    else:
        if state is not None and state.phase in ("filling", "refused", "switching"):
            raise RebuildFault(
                f"A rebuild into {state.collection} has not come to its end: run it again with its "
                "model, or give it up with --abandon."
            )
        kept = () if state is None else (state.kept, *state.leftovers)
        leftovers = tuple(name for name in kept if name is not None and name != target)
        state = RebuildState(target, revision, "filling", leftovers=leftovers)
        shop.say(f"filling {target}; {served} goes on serving")
    if shop.stopped():
        raise Interrupted
    return await Rebuild(shop, served, state).run()
