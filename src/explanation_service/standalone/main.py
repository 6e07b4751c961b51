"""`explanation standalone`: the whole service on this machine with nothing to configure."""

from __future__ import annotations

import asyncio
import signal
import sys

from explanation_service.standalone import plan as planning
from explanation_service.standalone.data_directory import DataDirectory
from explanation_service.standalone.embedding_progress import until_embedded
from explanation_service.standalone.examples import curl_commands
from explanation_service.standalone.faults import CannotStart, GaveUp
from explanation_service.standalone.options import Options, parse
from explanation_service.standalone.plan import Plan
from explanation_service.standalone.sample_job import run_sample_job
from explanation_service.standalone.supervisor import Supervisor
from explanation_service.standalone.terminal import Terminal

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(argv: list[str] | None = None) -> int:
    """Runs until it is stopped. The exit status: 0 stopped by a signal, 1 given up or the data
    directory is in use, 2 wrong options, settings or model."""
    options = parse(argv)
    terminal = Terminal()
    try:
        settings, model = planning.check(options)
        with DataDirectory(options.data_dir, options.fresh) as data:
            plan = planning.draw_up(options, settings, model, data)
            terminal.say(f"data in {data.path}")
            asyncio.run(_run(plan, options, terminal))
    except CannotStart as reason:
        print(reason, file=sys.stderr)
        return reason.exit_code
    except GaveUp as reason:
        terminal.say(str(reason))
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


async def _run(plan: Plan, options: Options, terminal: Terminal) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    async with Supervisor(plan.stores, plan.services, terminal) as supervisor:

        async def serve() -> None:
            await _bring_up(plan, supervisor, terminal)
            await stop.wait()

        serving = asyncio.create_task(supervisor.guard(serve))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stop.is_set():
            terminal.say("stopping")
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        else:
            await serving
    terminal.say("stopped")


async def _bring_up(plan: Plan, supervisor: Supervisor, terminal: Terminal) -> None:
    """Everything answers and the sample is searchable; then says so on stdout."""
    written = 0
    await supervisor.ready("redis", "mongodb")
    if plan.sample is not None:
        written = await run_sample_job(plan.sample, supervisor, terminal)
    await supervisor.ready("qdrant", "api", "worker")
    await until_embedded(plan.addresses, plan.headers, written, terminal)
    terminal.say("ready; Ctrl-C stops everything")
    url = plan.addresses.api_url
    terminal.result([f"READY {url}", *curl_commands(url, plan.headers)])
