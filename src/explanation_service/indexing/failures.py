"""What happens to a template that failed: it comes back, and its last failure is kept."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from datetime import UTC, datetime

from explanation_service.indexing.in_hand import InHand, Request, Work
from explanation_service.stores.errors import StoreError
from explanation_service.stores.event_stream import EventStream
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import embed_events_total
from explanation_service.telemetry.request_context import bind

log = get_logger(__name__)

# What a dead letter says whose failures nobody lived to note.
NO_TRACE = (
    "No failure was noted: each process that had this entry in hand ended (killed, out of memory, "
    "crashed) or lost its lease before it could say why."
)


class Failures:
    """The entries of what fails stay pending: they come back when their leases have run out."""

    def __init__(self, stream: EventStream, consumer: str, in_hand: InHand) -> None:
        self._stream = stream
        self._consumer = consumer
        self._in_hand = in_hand

    async def note(self, work: Work, requests: Sequence[Request], error: BaseException) -> None:
        """Release a template that failed with `error`; never fails itself."""
        why = f"{type(error).__name__}: {error}"
        # Of several requests the last: it wrote what failed.
        with bind(traceparent=requests[-1].event.traceparent if requests else None):
            log.error("template failed, it comes back", template_id=work.template_id, why=why)
        for request in requests:
            embed_events_total.labels(request.event.op, "failed").inc()
        self._in_hand.release(work)
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        trace = "".join(traceback.format_exception(error))
        try:
            await self._stream.note_failure(
                [request.entry_id for request in requests], f"{moment} {self._consumer}\n{trace}"
            )
        except StoreError as away:
            log.warning("failure could not be noted", why=str(away))
