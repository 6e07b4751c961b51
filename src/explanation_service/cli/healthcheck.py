"""`explanation healthcheck`."""

from __future__ import annotations

import argparse
from typing import Any

from explanation_service import healthcheck


def register(commands: Any) -> None:
    """Add the sub-command to the parser's sub-commands."""
    parser = commands.add_parser("healthcheck", help="whether the API (or any URL) answers 200")
    parser.add_argument("url", nargs="?", default=None, help="default: /health at API_PORT")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Exit code 0 when it answers 200."""
    return healthcheck.main([] if options.url is None else [options.url])
