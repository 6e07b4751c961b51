"""What the worker says of itself and of the stores that it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from explanation_service.indexing.connections import Connections
from explanation_service.indexing.encode_thread import EncodeThread
from explanation_service.indexing.health import Checks
from explanation_service.indexing.pulse import Pulse
from explanation_service.stores.errors import StoreError
from explanation_service.stores.redis import ping
from explanation_service.telemetry.metrics import embed_worker_ready

# Seconds that one batch may take: 512 tokens take 0.12 s on 2 cores. A thread that hangs keeps its
# leases, so nobody else would come to the entries in its hand.
STUCK_AFTER = 120.0


class Readiness:
    """Ready: the model is warm, and the collection is there (where the worker indexes)."""

    def __init__(self) -> None:
        self._thread: EncodeThread | None = None
        self._index = False
        self._pulses: list[Pulse] = []

    def model_is_loaded(self, thread: EncodeThread) -> None:
        """The encode thread serves now."""
        self._thread = thread
        self._note()

    def index_is_there(self) -> None:
        """The collection can be written, or need not be."""
        self._index = True
        self._note()

    @property
    def ready(self) -> bool:
        """Whether this worker serves."""
        return self._thread is not None and self._index

    def watch(self, loop: str) -> Pulse:
        """A loop that must go on from now on."""
        pulse = Pulse(loop)
        self._pulses.append(pulse)
        return pulse

    def let_go(self, pulse: Pulse) -> None:
        """That loop has ended, as it should."""
        self._pulses.remove(pulse)

    def why_stuck(self) -> str | None:
        """Why the process should be restarted; None when it should not."""
        if self._thread is not None and self._thread.busy_seconds() >= STUCK_AFTER:
            return f"one batch has taken more than {STUCK_AFTER:.0f} s"
        return next((why for pulse in self._pulses if (why := pulse.why_stuck())), None)

    def checks(self, connections: Connections, indexes: bool = True) -> Checks:
        """The dependencies for /health/ready; the consumer group where the worker `indexes`."""
        return {
            "model": self._model,
            "index": self._collection,
            "redis": _serves(lambda: ping(connections.redis)),
            **({"group": _group(connections)} if indexes else {}),
            "mongodb": _serves(connections.mongodb.ping),
            "qdrant": _serves(connections.index.ping),
        }

    async def _model(self) -> str | None:
        return None if self._thread is not None else "the model is being loaded"

    async def _collection(self) -> str | None:
        return None if self._index else "the collection is not there yet"

    def _note(self) -> None:
        embed_worker_ready.set(1 if self.ready else 0)


def _group(connections: Connections) -> Callable[[], Awaitable[str | None]]:
    async def check() -> str | None:
        stream = connections.stream
        try:
            there = await stream.has_group()
        except StoreError as error:
            return str(error)
        # Made by the first read, and anew when Redis lost it.
        return None if there else f"the group {stream.group} is not there yet"

    return check


def _serves(check: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[str | None]]:
    async def checked() -> str | None:
        try:
            await check()
        except StoreError as error:
            return str(error)
        return None

    return checked
