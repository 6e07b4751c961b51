"""The rule book and the stream for the time of one sub-command."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from explanation_service.content.rule_book import RuleBook
from explanation_service.settings import Settings, load_settings
from explanation_service.stores.dead_letters import DeadLetters
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.mongodb import TemplateRepository, connect_mongodb
from explanation_service.stores.redis import close, connect_redis, ping


@dataclass(frozen=True)
class Content:
    """What the sub-commands about templates work with."""

    rule_book: RuleBook
    repository: TemplateRepository


def add_store_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Options that go before MONGODB_URI and REDIS_URL; `names`: mongodb_uri, redis_url."""
    for name in names:
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, help=f"instead of {name.upper()} of the environment")


def settings_from(options: argparse.Namespace) -> Settings:
    """The settings, with the options that were given; raises SettingsError."""
    names = ("mongodb_uri", "redis_url")
    given = {name: getattr(options, name, None) for name in names}
    return load_settings(**{name: value for name, value in given.items() if value is not None})


@asynccontextmanager
async def open_content(settings: Settings, *, publishing: bool) -> AsyncIterator[Content]:
    """The rule book; with `publishing`, raises StoreUnavailable at once where Redis is away, for
    events would only pile up in the outboxes."""
    mongodb = connect_mongodb(settings)
    redis = connect_redis(settings)
    try:
        if publishing:
            await ping(redis)
        repository = TemplateRepository(mongodb)
        stream = EventStream(redis, settings.redis_stream_name, settings.redis_stream_group)
        yield Content(RuleBook(repository, stream), repository)
    finally:
        await close(redis)
        await mongodb.close()


@asynccontextmanager
async def open_dead_letters(settings: Settings) -> AsyncIterator[DeadLetters]:
    """The dead letters of the settings' stream."""
    redis = connect_redis(settings)
    try:
        yield DeadLetters(redis, settings.redis_stream_name)
    finally:
        await close(redis)
