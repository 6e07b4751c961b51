"""The options of the command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Action = Literal["rebuild", "plan", "rollback", "drop-old", "abandon"]

# Share of the questions by which the new collection may be worse: one question in fifty.
TOLERANCE = 0.02
NICE = 10


@dataclass(frozen=True)
class Options:
    """What was asked for; `rate` in passages a second, `at_least` a share from 0 to 1."""

    action: Action = "rebuild"
    model_path: Path | None = None
    questions: Path | None = None
    tolerance: float = TOLERANCE
    at_least: float | None = None
    rate: float | None = None
    nice: int = NICE
    force: bool = False


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options; wrong ones end the process with exit code 2."""
    parser = argparse.ArgumentParser(
        prog="rebuild-embeddings",
        description="Embed the whole rule book with another model into a collection of its own, "
        "check that it finds as well as the one in use, and let searches change over to it. "
        "Searches and edits go on all the time; a run that was interrupted is taken up again.",
    )
    actions = parser.add_mutually_exclusive_group()
    actions.add_argument(
        "--dry-run", action="store_true", help="say what would be done and how long it takes"
    )
    actions.add_argument(
        "--rollback", action="store_true", help="go back to the collection before the last change"
    )
    actions.add_argument(
        "--drop-old", action="store_true", help="delete the collection kept for a rollback"
    )
    actions.add_argument(
        "--abandon", action="store_true", help="give up a run that was interrupted or refused"
    )
    parser.add_argument(
        "--model-path", type=Path, metavar="DIR", help="the new model; default: the settings'"
    )
    parser.add_argument(
        "--questions",
        type=Path,
        metavar="FILE",
        help="JSON Lines with question and template_id; default: the titles of the rule book",
    )
    parser.add_argument(
        "--tolerance",
        type=_share,
        default=TOLERANCE,
        help="share of questions by which the new collection may be worse (default %(default)s)",
    )
    parser.add_argument(
        "--at-least",
        type=_share,
        metavar="SHARE",
        help="compare with this share, not with the collection in use; for when no worker of the "
        "old model is left",
    )
    parser.add_argument(
        "--rate", type=_positive, metavar="N", help="passages a second at most (default: no limit)"
    )
    parser.add_argument(
        "--nice", type=int, default=NICE, help="how far to stand back (default %(default)s)"
    )
    parser.add_argument(
        "--force", action="store_true", help="also with the model that is in use already"
    )
    given = vars(parser.parse_args(arguments))
    flags: dict[str, Action] = {
        "dry_run": "plan",
        "rollback": "rollback",
        "drop_old": "drop-old",
        "abandon": "abandon",
    }
    chosen = [action for flag, action in flags.items() if given.pop(flag)]
    action = chosen[0] if chosen else "rebuild"
    return Options(action=action, **given)


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("must be from 0 to 1")
    return share


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0")
    return number
