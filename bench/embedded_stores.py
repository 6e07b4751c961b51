"""The stores of the standalone mode in a folder, while a `with` block runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from explanation_service.standalone import embedded_stores as stores
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.process import running
from explanation_service.standalone.program import python_environment


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
            stack.enter_context(running(program))
        yield {
            "redis_url": f"redis://127.0.0.1:{redis}/0",
            "mongodb_uri": f"mongodb://127.0.0.1:{mongodb}",
            "qdrant_url": f"http://127.0.0.1:{qdrant}",
        }


@contextmanager
def embedded_qdrant(folder: Path) -> Iterator[str]:
    """The address of a Qdrant alone. Raises RuntimeError when it does not start."""
    (port,) = free_ports(1)
    data = folder / "qdrant"
    data.mkdir()
    program = stores.qdrant_program(port, data, folder / "qdrant.log", python_environment())
    with running(program):
        yield f"http://127.0.0.1:{port}"
