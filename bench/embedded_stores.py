"""The three stores of the standalone mode in a folder, while a `with` block runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from explanation_service.standalone import embedded_stores as stores
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.process import Process
from explanation_service.standalone.program import Program, python_environment

_START_SECONDS = 60.0


@contextmanager
def embedded_stores(folder: Path) -> Iterator[dict[str, str]]:
    """Their addresses, named as in Settings. Raises RuntimeError when one does not start."""
    redis, mongodb, qdrant = free_ports(3)
    data = {name: folder / name for name in ("redis", "mongodb", "qdrant", "run")}
    for path in data.values():
        path.mkdir()
    environment = python_environment()
    programs = [
        stores.redis_program(
            stores.find_redis(data["run"]), redis, data["redis"], folder / "redis.log"
        ),
        stores.mongodb_program(
            mongodb, data["mongodb"], data["run"], folder / "mongodb.log", environment
        ),
        stores.qdrant_program(qdrant, data["qdrant"], folder / "qdrant.log", environment),
    ]
    with ExitStack() as stack:
        for program in programs:
            _start(stack, program)
        yield {
            "redis_url": f"redis://127.0.0.1:{redis}/0",
            "mongodb_uri": f"mongodb://127.0.0.1:{mongodb}",
            "qdrant_url": f"http://127.0.0.1:{qdrant}",
        }


def _start(stack: ExitStack, program: Program) -> None:
    process = Process(program)
    stack.callback(process.stop)
    if not process.wait_until_ready(_START_SECONDS):
        raise RuntimeError(f"{program.name}: {program.log.read_text(errors='replace')}")
