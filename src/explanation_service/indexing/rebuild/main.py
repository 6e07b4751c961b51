"""The command `rebuild-embeddings`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from explanation_service.indexing.heap import limit_heaps
from explanation_service.indexing.threads import limit_math_threads

# Before anything can import torch or numpy.
limit_heaps()
limit_math_threads()

from explanation_service.indexing.backends.load import load_encoder  # noqa: E402
from explanation_service.indexing.connections import Connections, connect  # noqa: E402
from explanation_service.indexing.encode_thread import EncodeThread  # noqa: E402
from explanation_service.indexing.encoder import PassageEncoder  # noqa: E402
from explanation_service.indexing.model_directory import (  # noqa: E402
    ModelUnusable,
)
from explanation_service.indexing.rebuild import plan, switching  # noqa: E402
from explanation_service.indexing.rebuild.faults import (  # noqa: E402
    GateRefused,
    Interrupted,
    RebuildFault,
)
from explanation_service.indexing.rebuild.options import Options, parse  # noqa: E402
from explanation_service.indexing.rebuild.run import rebuild  # noqa: E402
from explanation_service.indexing.rebuild.sole_run import sole_run  # noqa: E402
from explanation_service.indexing.rebuild.workshop import Workshop  # noqa: E402
from explanation_service.indexing.tasks import end  # noqa: E402
from explanation_service.reconciliation.reconciler import Reconciler  # noqa: E402
from explanation_service.settings import Settings, SettingsError, load_settings  # noqa: E402
from explanation_service.stores.errors import StoreError  # noqa: E402
from explanation_service.stores.forgotten_groups import rebuild_stream  # noqa: E402
from explanation_service.stores.index_collections import IndexCollections  # noqa: E402
from explanation_service.stores.qdrant import connect_qdrant  # noqa: E402
from explanation_service.stores.rebuild_states import RebuildStates  # noqa: E402
from explanation_service.stores.redis import ping  # noqa: E402
from explanation_service.telemetry.logging import configure_logging  # noqa: E402

EXIT_FAILURE = 1
EXIT_SETTINGS = 2
EXIT_REFUSED = 3
EXIT_INTERRUPTED = 130

# Seconds from a signal to the end, when a store that is away or a long batch holds it up.
_STOP_GRACE = 8.0

LoadEncoder = Callable[[Settings], PassageEncoder]


def main(arguments: Sequence[str] | None = None, load: LoadEncoder | None = None) -> None:
    """Run the command and end the process. Exit code 0 done, 1 nothing was switched, 2 wrong
    options, settings or model, 3 refused by the quality gate, 130 interrupted."""
    options = parse(arguments)
    configure_logging("WARNING", "rebuild")
    try:
        settings = settings_for(options)
        os.nice(options.nice)
        print(asyncio.run(_until_signal(settings, options, load or _load)))
        code = 0
    except (SettingsError, ModelUnusable) as error:
        code = _say(error, EXIT_SETTINGS)
    except GateRefused as error:
        code = _say(error, EXIT_REFUSED)
    except (RebuildFault, StoreError, OSError) as error:
        code = _say(error, EXIT_FAILURE)
    except Interrupted:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        code = EXIT_INTERRUPTED
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: a batch in the encode thread would hold it up (see indexing.main).
    os._exit(code)


def settings_for(options: Options) -> Settings:
    """The settings with the new model in them. Raises SettingsError."""
    if options.model_path is None:
        return load_settings()
    # FASTTEXT_MODEL_PATH, where it is set, names the model that is to be left.
    return load_settings(embedding_model_path=options.model_path, fasttext_model_path=None)


def _say(error: Exception, code: int) -> int:
    print(error, file=sys.stderr)
    return code


def _load(settings: Settings) -> PassageEncoder:
    return load_encoder(settings)


async def _until_signal(settings: Settings, options: Options, load: LoadEncoder) -> str:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    work = asyncio.create_task(carry_out(settings, options, load, stop))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        await asyncio.wait((work,), timeout=_STOP_GRACE)
    await end(stopping)
    if not work.done():
        await end(work)
        raise Interrupted
    return work.result()


async def carry_out(
    settings: Settings, options: Options, load: LoadEncoder, stop: asyncio.Event
) -> str:
    """What was done, in sentences; raises what `main` turns into exit codes."""
    connections = connect(settings)
    collections = IndexCollections(connect_qdrant(settings), settings.qdrant_collection)
    states = RebuildStates(connections.mongodb)
    try:
        # One sentence at once, where the stages would wait for a store that is away.
        await connections.mongodb.ping()
        await ping(connections.redis)
        await collections.served()
        actions: dict[str, Callable[[], Awaitable[str]]] = {
            # By version: hashes would need the model that made the old collection.
            "rollback": lambda: switching.roll_back(
                collections,
                states,
                Reconciler(
                    connections.repository, connections.scan, connections.stream, None, settle=None
                ),
            ),
            "drop-old": lambda: switching.drop_old(collections, states),
            "abandon": lambda: switching.abandon(
                collections, states, lambda name: rebuild_stream(connections.stream, name)
            ),
        }
        if options.action == "plan":
            async with _workshop(settings, options, load, connections, collections, stop) as shop:
                return await plan.describe(shop)
        async with sole_run(connections.redis, collections.alias, stop.set, _print):
            if options.action != "rebuild":
                return await actions[options.action]()
            async with _workshop(settings, options, load, connections, collections, stop) as shop:
                return await rebuild(shop)
    finally:
        await collections.close()
        await connections.close()


@asynccontextmanager
async def _workshop(
    settings: Settings,
    options: Options,
    load: LoadEncoder,
    connections: Connections,
    collections: IndexCollections,
    stop: asyncio.Event,
) -> AsyncIterator[Workshop]:
    """With the model loaded and its thread running."""
    encoder = await asyncio.to_thread(load, settings)
    thread = EncodeThread(encoder)
    thread.start()
    try:
        yield Workshop(
            connections=connections,
            collections=collections,
            states=RebuildStates(connections.mongodb),
            encoder=encoder,
            thread=thread,
            max_batch_tokens=settings.embedding_max_batch_tokens,
            weights=settings.search_weights,
            options=options,
            stopped=stop.is_set,
            say=_print,
        )
    finally:
        thread.close()


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
