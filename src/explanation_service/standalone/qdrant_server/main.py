"""The command line of the server."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import uvicorn

from explanation_service.standalone.qdrant_server.app import create_app

# The variable of the real server, so that a key need not stand in the process list.
API_KEY_VARIABLE = "QDRANT__SERVICE__API_KEY"
_STOP_SECONDS = 1


def main(argv: list[str] | None = None) -> int:
    options = _parse(argv)
    api_key = options.api_key or os.environ.get(API_KEY_VARIABLE) or None
    data_dir: Path = options.data_dir
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"qdrant-server: --data-dir cannot be used: {error}", file=sys.stderr)
        return 2
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(data_dir, api_key),
            host=options.host,
            port=options.port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
    )
    server.run()
    return 0 if server.started else 1


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="qdrant-server", description="Qdrant's REST API over the in-process engine."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6333)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--api-key", help=f"else the environment's {API_KEY_VARIABLE}")
    return parser.parse_args(argv)
