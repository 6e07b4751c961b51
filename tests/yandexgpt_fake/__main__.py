"""The command: `python -m yandexgpt_fake`. Every flag has an environment variable."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal

from yandexgpt_fake.behaviours import Behaviour
from yandexgpt_fake.server import FakeServer


def arguments() -> argparse.Namespace:
    env = os.environ.get
    parser = argparse.ArgumentParser(prog="yandexgpt_fake", description="A stand-in for YandexGPT.")
    parser.add_argument("--host", default=env("YANDEXGPT_FAKE_HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(env("YANDEXGPT_FAKE_PORT", "8090")))
    parser.add_argument(
        "--quota",
        type=int,
        default=int(env("YANDEXGPT_FAKE_QUOTA", "10")),
        help="generations at a time; more get 429",
    )
    parser.add_argument(
        "--api-key",
        default=env("YANDEXGPT_FAKE_API_KEY") or None,
        help="the only key or token that is taken; without it any is",
    )
    parser.add_argument(
        "--delay",
        type=float,
        default=float(env("YANDEXGPT_FAKE_DELAY", "0.3")),
        help="seconds until a healthy answer begins",
    )
    parser.add_argument(
        "--interval",
        type=float,
        default=float(env("YANDEXGPT_FAKE_INTERVAL", "0.1")),
        help="seconds between two lines of a healthy stream",
    )
    return parser.parse_args()


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    default = Behaviour(delay=options.delay, interval=options.interval)
    fake = FakeServer(options.quota, options.api_key, default)
    server = await fake.serve(options.host, options.port)
    port = server.sockets[0].getsockname()[1]
    print(f"READY http://{options.host}:{port}", flush=True)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    server.close()


def main() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments()))


if __name__ == "__main__":
    main()
