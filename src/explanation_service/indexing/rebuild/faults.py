"""How a rebuild can end without a change of the index."""

from __future__ import annotations


class RebuildFault(Exception):
    """Nothing was switched; the text is one sentence that says what to do."""


class GateRefused(RebuildFault):
    """The new collection does not find as well as the one in use."""


class Interrupted(Exception):
    """Told to stop; the same command goes on from here."""
