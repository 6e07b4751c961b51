"""The templates that this worker works on, with the stream entries that asked for them."""

from __future__ import annotations

import time
from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from explanation_service.content.events import ContentEvent
from explanation_service.stores.records import Delivery


@dataclass
class Request:
    """One stream entry and the event in it; `held_at` (monotonic seconds) is when its lease was
    certainly ours last."""

    delivery: Delivery
    event: ContentEvent
    held_at: float = field(default_factory=time.monotonic, compare=False)

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
    """A write of somebody who died (or of ours) may be under way: write, even where the index
    looks right, for a write comes after it and what is read then is true."""
    abandoned: bool = False
    """Every lease was lost: another worker has it."""
    wrote: bool = False
    """We have written what may not be the newest: the template must be looked at once more, by us
    or by somebody else."""
    unseen: int = 0
    """How often the index did not show what was written to it."""

    @property
    def held_at(self) -> float:
        """When all of its leases were certainly ours last, in monotonic seconds."""
        return min((request.held_at for request in self.requests), default=time.monotonic())


class InHand:
    """A template is in hand once at most, so two versions of it never race inside a worker.

    An event is a pointer: one that comes in while its template is in hand joins it, and is done
    with it when the template is read once more after the write (see `settle`).
    """

    def __init__(self) -> None:
        self._works: dict[str, Work] = {}
        self._left: list[Request] = []

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
            # An entry that comes again, after its lease had run out, replaces itself.
            others = [one for one in work.requests if one.entry_id != request.entry_id]
            work.requests = [*others, request]
            work.abandoned = False
            work.careful = work.careful or request.delivery.times_delivered > 1
        return fresh

    def release(self, work: Work) -> None:
        """Forget a template that failed; its entries stay pending and come back later."""
        if self._works.get(work.template_id) is work:
            del self._works[work.template_id]

    def leave(self, work: Work) -> None:
        """Forget a template that nobody has failed at: there is no time for it any more."""
        self._left += work.requests
        self.release(work)

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

    def renewed(self, entry_ids: Container[str], at: float) -> None:
        """Note that these leases were ours at `at` (monotonic seconds)."""
        for work in self._works.values():
            for request in work.requests:
                if request.entry_id in entry_ids:
                    request.held_at = at

    def lose(self, entry_ids: Iterable[str]) -> None:
        """Note entries that another worker has taken over."""
        lost = set(entry_ids)
        for work in self._works.values():
            work.requests = [one for one in work.requests if one.entry_id not in lost]
            work.abandoned = not work.requests

    def empty(self, suspects: Container[str]) -> tuple[list[str], list[str]]:
        """Forget everything; the entries left behind: first those that are innocent of the end,
        then those of the templates `suspects`."""
        innocent = [request.entry_id for request in self._left]
        suspected = []
        for work in self._works.values():
            ids = [request.entry_id for request in work.requests]
            if work.template_id in suspects:
                suspected += ids
            else:
                innocent += ids
        self._works.clear()
        self._left.clear()
        return innocent, suspected
