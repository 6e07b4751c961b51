from __future__ import annotations

import pytest

from explanation_service.settings import load_settings
from explanation_service.stores.embedding_channel import QueryEmbeddingClient
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.redis import MAX_BLOCK_SECONDS, connect_redis


@pytest.mark.parametrize(("blocking", "retries"), [(False, 1), (True, 0)])
def test_nothing_is_left_to_the_defaults_of_redis_py(blocking: bool, retries: int) -> None:
    client = connect_redis(load_settings(), blocking=blocking)
    given = client.connection_pool.connection_kwargs
    assert given["retry"].get_retries() == retries
    assert given["socket_connect_timeout"] <= 2.0
    assert given["decode_responses"] and given["encoding_errors"] == "replace"
    if blocking:
        assert given["socket_timeout"] > MAX_BLOCK_SECONDS + 1, "a quiet stream is no failure"
    else:
        assert given["socket_timeout"] <= 2.0


async def test_waits_longer_than_the_socket_are_refused() -> None:
    redis = connect_redis(load_settings(), blocking=True)
    with pytest.raises(ValueError):
        await EventStream(redis, "s", "g").read_new("c", 1, 0)
    for seconds in (0.0, MAX_BLOCK_SECONDS + 1):
        with pytest.raises(ValueError):
            await QueryEmbeddingClient(redis, redis).next_reply(seconds)
