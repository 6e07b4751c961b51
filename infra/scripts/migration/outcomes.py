"""How a run can end: exit codes, and the exceptions that lead to them."""

from __future__ import annotations

DONE = 0
# Nothing was moved, or a command of the engine failed: the same call goes on.
FAILED = 1
USAGE = 2
ROLLED_BACK = 3
CLIENTS_REMAIN = 4
ROLLBACK_INCOMPLETE = 5
LOCKED = 6
INTERRUPTED = 130


class Refused(Exception):
    """A sentence for the operator, who has to do something before it can go on."""


class Unfit(Exception):
    """The pair may not replace the monolith, for this reason: go back."""


class ClientsRemain(Exception):
    """Somebody still asks the side that is to be stopped; both serve."""


class RollbackIncomplete(Exception):
    """The monolith could not be brought back; the pair was left as it is."""
