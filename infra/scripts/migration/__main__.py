"""The program behind migrate_to_split_services.sh."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from infra.scripts.migration import outcomes
from infra.scripts.migration.console import Console
from infra.scripts.migration.options import parse
from infra.scripts.migration.run import Run


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console()
    try:
        return Run(options, console).code()
    except KeyboardInterrupt:
        console.say("Interrupted. The same call goes on here; --rollback goes back.")
        return outcomes.INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
