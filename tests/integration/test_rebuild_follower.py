"""Which entries of the stream a rebuild takes over, on a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest_asyncio

from explanation_service.content.events import ContentEvent
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.rebuild.follower import Follower
from explanation_service.settings import load_settings
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.redis import close, connect_redis


class Reembedder:
    """Keeps what it is told to bring up to date."""

    def __init__(self) -> None:
        self.templates: list[str] = []

    async def bring_up_to_date(self, template_ids: Sequence[str], careful: bool = False) -> None:
        self.templates += template_ids


@pytest_asyncio.fixture
async def stream(redis_url: str) -> AsyncIterator[EventStream]:
    redis = connect_redis(load_settings(redis_url=redis_url), blocking=True)
    stream = EventStream(redis, f"t:{uuid4().hex}", "rebuild")
    yield stream
    await redis.delete(stream.name)
    await close(redis)


def edit(number: int) -> ContentEvent:
    return ContentEvent(
        event_id=f"e{number}",
        entity_id=f"t{number}",
        op="upsert",
        version=1,
        occurred_at=datetime.now(UTC),
    )


async def test_edits_from_its_start_on_and_after_a_kill_are_taken_over(
    stream: EventStream,
) -> None:
    await stream.append_many([edit(number) for number in range(300)])
    reembedder = Reembedder()
    first = Follower(stream, reembedder, Patience())  # type: ignore[arg-type]
    await first.start()
    # The rule book as it was is read from MongoDB: through the stream it would come before the
    # first page, and nothing would be noted of how far the rebuild is.
    assert await first.catch_up() == 0
    await stream.append_many([edit(300)])
    second = Follower(stream, reembedder, Patience())  # type: ignore[arg-type]
    await second.start()
    assert await second.catch_up() == 1
    assert reembedder.templates == ["t300"]
    assert not second.missed
