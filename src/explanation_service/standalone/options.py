"""The command line of `explanation standalone`."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True)
class Options:
    """`port` 0 means a free one; a URL stands for a real server in place of the embedded one."""

    data_dir: Path
    fresh: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    model_path: Path | None = None
    mongodb_uri: str | None = None
    redis_url: str | None = None
    qdrant_url: str | None = None
    sample: bool = True
    log_level: str | None = None


def parse(argv: list[str] | None) -> Options:
    """Ends the process with status 2 and the usage when the arguments are wrong."""
    parser = argparse.ArgumentParser(
        prog="explanation standalone",
        description="The whole service on this machine: stores, API, worker and a sample rule "
        "book. Stop it with Ctrl-C; the next start goes on with the same data.",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=default_data_dir(),
        help="where everything is kept (default: %(default)s)",
    )
    parser.add_argument("--fresh", action="store_true", help="forget the data of earlier runs")
    parser.add_argument("--host", default="127.0.0.1", help="address of the API")
    parser.add_argument("--port", type=_port, default=0, help="port of the API (default: free)")
    parser.add_argument(
        "--model-path",
        type=Path,
        help="directory of the embedding model (default: $EMBEDDING_MODEL_PATH)",
    )
    parser.add_argument("--mongodb-uri", help="a MongoDB in place of the embedded store")
    parser.add_argument("--redis-url", help="a Redis in place of the embedded store")
    parser.add_argument("--qdrant-url", help="a Qdrant in place of the embedded store")
    parser.add_argument(
        "--no-sample",
        dest="sample",
        action="store_false",
        help="start with an empty rule book",
    )
    parser.add_argument("--log-level", type=str.upper, choices=LOG_LEVELS)
    return Options(**vars(parser.parse_args(argv)))


def default_data_dir() -> Path:
    """$XDG_DATA_HOME/explanation-service; a relative XDG_DATA_HOME is invalid and ignored."""
    home = Path(os.environ.get("XDG_DATA_HOME", ""))
    if not home.is_absolute():
        home = Path.home() / ".local" / "share"
    return home / "explanation-service"


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return port
