"""Connections to Redis, and the translation of what redis-py raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import (
    AuthenticationError,
    RedisError,
    ResponseError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)

from explanation_service.settings import Settings, SettingsError
from explanation_service.stores.errors import (
    GroupMissing,
    StoreRejected,
    StoreUnavailable,
    one_line,
)

RedisClient: TypeAlias = Redis

# Seconds. redis-py 8 waits 5 s and repeats 10 times in silence unless told otherwise, which made
# XREADGROUP BLOCK 7000 hang for over 30 s (docket 425): every figure here is explicit.
CONNECT_TIMEOUT = 1.0
COMMAND_TIMEOUT = 2.0
# A blocking read ends by itself after MAX_BLOCK_SECONDS; the rest is for a busy server. It is
# never repeated: its caller loops anyway, and a repeated pop would lose what the first one took.
MAX_BLOCK_SECONDS = 2.0
BLOCKING_TIMEOUT = MAX_BLOCK_SECONDS + 3.0

# Error replies that say "not now" or "not you" where the request itself is in order.
_UNAVAILABLE_REPLIES = (
    "LOADING",
    "OOM",
    "MISCONF",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "BUSY ",
    "NOAUTH",
    "NOPERM",
    "WRONGPASS",
    "NOREPLICAS",
)
# UNBLOCKED: the stream vanished under a reader that was waiting for it.
_GROUP_REPLIES = ("NOGROUP", "UNBLOCKED")


def connect_redis(settings: Settings, *, blocking: bool = False) -> RedisClient:
    """A client that connects on first use. Take a `blocking` one for each reader that waits.

    Bytes that are no UTF-8 are read as U+FFFD: one broken entry must not stop a reader. Raises
    SettingsError for an address that redis-py cannot read.
    """
    try:
        return Redis.from_url(
            settings.redis_url,
            decode_responses=True,
            encoding_errors="replace",
            # Redis 7.0 and redis-py 7 and 8 agree on the shapes of RESP2.
            protocol=2,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=BLOCKING_TIMEOUT if blocking else COMMAND_TIMEOUT,
            socket_keepalive=True,
            # One repetition covers a pooled connection that died with a restart of the server.
            retry=Retry(ConstantBackoff(0.05), 0 if blocking else 1),
            health_check_interval=0,
        )
    except (ValueError, TypeError):
        pass
    # Outside of the except clause: redis-py's text can quote the address.
    raise SettingsError("REDIS_URL must be an address such as redis://host:6379/0.")


async def ping(redis: RedisClient) -> None:
    """Raises StoreUnavailable unless Redis answers."""
    with translated_errors():
        await redis.ping()


async def eviction_policy(redis: RedisClient) -> str | None:
    """Its maxmemory-policy; None where it limits no memory, or does not say (a managed Redis).

    Raises StoreUnavailable unless Redis answers.
    """
    with translated_errors():
        memory = await redis.info("memory")
    limited, policy = memory.get("maxmemory"), memory.get("maxmemory_policy")
    return str(policy) if limited and policy else None


async def close(redis: RedisClient) -> None:
    """Close the client and its connections; never fails."""
    try:
        await redis.aclose()
    except (RedisError, OSError):
        return


async def run(pipe: Pipeline) -> list[Any]:
    """Execute a pipeline without MULTI; raises the first error reply as Redis wrote it.

    Left to itself redis-py puts "Command # 1 (XPENDING ...) of pipeline caused error" before it,
    which hides the code (NOGROUP) and quotes the arguments.
    """
    replies: list[Any] = await pipe.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


@contextmanager
def translated_errors() -> Iterator[None]:
    """Within the block, what redis-py raises leaves as one of `stores.errors`."""
    try:
        yield
    except ResponseError as error:
        text = str(error)
        if text.startswith(_GROUP_REPLIES):
            raise GroupMissing(one_line(error)) from error
        if text.startswith(_UNAVAILABLE_REPLIES):
            raise StoreUnavailable("redis", one_line(error)) from error
        raise StoreRejected("redis", one_line(error)) from error
    except (AuthenticationError, RedisConnectionError, RedisError) as error:
        raise StoreUnavailable("redis", one_line(error)) from error
    except (OSError, TimeoutError) as error:
        raise StoreUnavailable("redis", one_line(error)) from error
