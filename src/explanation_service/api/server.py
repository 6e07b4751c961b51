"""The HTTP server around the application: one process, stopped by a signal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from explanation_service.api.app import create_app
from explanation_service.api.assembly import open_services
from explanation_service.api.http_protocol import HttpProtocol
from explanation_service.api.worker_in_process import check_worker_can_run
from explanation_service.settings import Settings

# Seconds. Requests under way may end; compose kills after 10, Kubernetes after 30.
_GRACE = 8


class _Server(uvicorn.Server):
    """uvicorn raises the signal that stopped it once more at the end, which would make every
    orderly stop look like a death by SIGTERM; our own handlers do not."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve on the socket until SIGTERM or SIGINT; raises SettingsError for addresses that no
    driver can read and for a worker that is asked for and not installed."""
    if settings.start_embedding_worker:
        check_worker_can_run(settings)
    # Opened here and not by the application: uvicorn would turn its errors into tracebacks.
    async with open_services(settings) as services:
        app = create_app(settings, lambda _: contextlib.nullcontext(services))
        await _Server(
            uvicorn.Config(
                app,
                http=HttpProtocol,
                # Our own handlers stay; the access log is ours too.
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="on",
                timeout_graceful_shutdown=_GRACE,
            )
        ).serve(sockets=[listener])
