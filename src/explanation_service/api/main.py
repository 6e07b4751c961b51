"""The command `explanation-api`."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys

from explanation_service.api.worker_in_process import limit_heaps
from explanation_service.settings import Settings, SettingsError, load_settings
from explanation_service.telemetry.logging import configure_logging
from explanation_service.telemetry.tracing import tracing

# Exit codes: 2 for what the operator has to change, 1 for what a restart may cure.
EXIT_SETTINGS = 2
EXIT_FAILURE = 1

# Connections that wait to be accepted; more only wait longer.
_BACKLOG = 2048


class AddressUnusable(Exception):
    """Nothing can listen at the address; the text is one sentence."""


def main() -> None:
    """Serve until SIGTERM or SIGINT. Nothing goes to stdout."""
    try:
        settings = load_settings()
        limit_heaps(settings)
        configure_logging(settings.log_level, "api")
        listener = _listen(settings)
        with tracing("api"):
            _serve(settings, listener)
    except (SettingsError, AddressUnusable) as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_SETTINGS if isinstance(error, SettingsError) else EXIT_FAILURE)
    if settings.start_embedding_worker:
        # A batch in the encode thread would hold up the exit, as in the worker's own main.
        sys.stderr.flush()
        os._exit(0)


def _listen(settings: Settings) -> socket.socket:
    """The listening socket, before the imports: a port that is taken shows at once, and early
    clients wait some tenths of a second instead of being refused."""
    host, port = settings.api_host, settings.api_port
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise AddressUnusable(
            f"Cannot listen at {host}:{port} (API_HOST, API_PORT): {error.strerror}."
        ) from error
    return listener


def _serve(settings: Settings, listener: socket.socket) -> None:
    # Imported here: it pulls the drivers in, and a bad setting need not wait for them. Hardly
    # anything of what an import makes is garbage, so the collector would walk in vain, then and
    # later: 0.15 s of 1.1 s.
    gc.disable()
    from explanation_service.api.server import loop_factory, serve

    gc.freeze()
    gc.enable()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(settings, listener))
