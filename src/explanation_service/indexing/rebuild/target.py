"""Which collection a rebuild fills."""

from __future__ import annotations

from itertools import count

from explanation_service.indexing.rebuild.faults import RebuildFault
from explanation_service.stores.collection_names import collection_for, is_of_model
from explanation_service.stores.rebuild_states import RebuildState


def choose_target(
    alias: str, revision: str, served: str | None, state: RebuildState | None, force: bool
) -> str:
    """The collection to fill: that of a run that did not come to its end, else the model's first
    that is not in use. What lies there from earlier is used where it is still right.

    Raises RebuildFault where there is nothing to do.
    """
    if served is None:
        raise RebuildFault(
            f"There is no index {alias} yet, so there is nothing to rebuild: the first worker "
            "makes it with its own model."
        )
    if state is not None and state.revision == revision and is_open(state, served):
        return state.collection
    if is_of_model(alias, served, revision) and not force:
        raise RebuildFault(
            f"The index {alias} is of this model already (collection {served}); --force makes it "
            "once more, for instance after a change of how texts are cut."
        )
    return next(
        name for number in count(1) if (name := collection_for(alias, revision, number)) != served
    )


def is_open(state: RebuildState, served: str | None) -> bool:
    """Whether that run did not come to its end, the switch and what follows it included."""
    if state.phase == "switching":
        return True
    return state.phase != "switched" and state.collection != served
