"""Runs the program that brings the sample rule book, to its end."""

from __future__ import annotations

import asyncio

from explanation_service.standalone import logs
from explanation_service.standalone.faults import GaveUp
from explanation_service.standalone.process import Process, exit_of
from explanation_service.standalone.program import Program
from explanation_service.standalone.supervisor import Supervisor
from explanation_service.standalone.terminal import Terminal

# A store that dies under it makes it fail; it goes on where it stopped.
_ATTEMPTS = 5


async def run_sample_job(program: Program, supervisor: Supervisor, terminal: Terminal) -> int:
    """The number of templates written. Raises GaveUp when every attempt failed."""
    for _ in range(_ATTEMPTS):
        await supervisor.ready("redis", "mongodb")
        log_before = logs.size(program.log)
        process = Process(program)
        supervisor.watchdog.watch(process.pid)
        try:
            exit_code = await exit_of(process)
        finally:
            process.kill_group()
            supervisor.watchdog.forget(process.pid)
        if exit_code == 0:
            written = int(logs.last_words(program.log, log_before))
            if written:
                terminal.say(f"sample rule book: {written} rules")
            return written
        await asyncio.sleep(1)
    words = logs.last_words(program.log)
    raise GaveUp(f"The sample rule book cannot be stored: {words} (log: {program.log})")
