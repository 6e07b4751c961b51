"""The templates that this worker works on, with the stream entries that asked for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from explanation_service.content.events import ContentEvent
from explanation_service.stores.records import Delivery


@dataclass(frozen=True)
class Request:
    """One stream entry and the event in it."""

    delivery: Delivery
    event: ContentEvent

    @property
    def entry_id(self) -> str:
        """The id of the stream entry: what is renewed and acknowledged."""
        return self.delivery.entry_id


@dataclass
class Work:
    """One template to bring up to date, and the entries that are acknowledged when it is."""

    template_id: str
    requests: list[Request] = field(default_factory=list)
    careful: bool = False
    """Somebody may have written half of it before: leave nothing to what the index says."""
    overwrote: bool = False
    """We wrote a version that was not the newest any more, perhaps among another worker's chunks,
    or a repair is asked for: write all of them again, whatever the first chunk says."""
    abandoned: bool = False
    """Every lease was lost: another worker has it."""


class InHand:
    """A template is in hand once at most, so two versions of it never race inside a worker.

    An event is a pointer: one that comes in while its template is in hand joins it, and is done
    with it when the template is read once more after the write (see `settle`).
    """

    def __init__(self) -> None:
        self._works: dict[str, Work] = {}

    def __len__(self) -> int:
        return len(self._works)

    def admit(self, requests: Iterable[Request]) -> list[Work]:
        """The templates that were not in hand before; the other requests join theirs."""
        fresh = []
        for request in requests:
            work = self._works.get(request.event.entity_id)
            if work is None:
                work = self._works[request.event.entity_id] = Work(request.event.entity_id)
                fresh.append(work)
            if all(request.entry_id != known.entry_id for known in work.requests):
                work.requests.append(request)
                work.abandoned = False
            work.careful = work.careful or request.delivery.times_delivered > 1
            if request.event.repair:
                work.careful = work.overwrote = True
        return fresh

    def release(self, work: Work) -> None:
        """Forget a template that failed; its entries stay pending and come back later."""
        if self._works.get(work.template_id) is work:
            del self._works[work.template_id]

    def settle(self, work: Work, answered: Iterable[Request]) -> bool:
        """Take off the answered requests; True when the template left the hand, False when
        further requests came in meanwhile, so that it must be worked on again."""
        done = {request.entry_id for request in answered}
        work.requests = [request for request in work.requests if request.entry_id not in done]
        if work.requests:
            return False
        self.release(work)
        return True

    def entry_ids(self) -> list[str]:
        """The entries whose leases must be kept."""
        return [request.entry_id for work in self._works.values() for request in work.requests]

    def lose(self, entry_ids: Iterable[str]) -> None:
        """Note entries that another worker has taken over."""
        lost = set(entry_ids)
        for work in self._works.values():
            work.requests = [one for one in work.requests if one.entry_id not in lost]
            work.abandoned = not work.requests
