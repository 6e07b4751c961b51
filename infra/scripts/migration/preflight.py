"""What has to be so before anything is changed: each check is a sentence that says what to do."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from infra.scripts.migration import engine
from infra.scripts.migration.compose import API, MONOLITH, STORES, WORKER, Declared
from infra.scripts.migration.service import Service
from infra.scripts.migration.sides import Sides, keys_of

GIB = 1 << 30
# Logs, a collection's growth; the images are there already.
FREE_DISK = 1 * GIB
# The pair runs beside the monolith: a worker with its model takes about 1 GiB, an API 0.1.
FREE_MEMORY = 3 * GIB // 2
# Behind more events than that a test template would not be found in its time.
BACKLOG = 1000
BLIP_SECONDS = 10


def images(declared: dict[str, Declared]) -> str | None:
    missing = [
        declared[name].image
        for name in (API, WORKER)
        if not engine.image_present(declared[name].image)
    ]
    if not missing:
        return None
    return f"The engine has no image {' and no '.join(missing)}: load or pull it, or set IMAGE_TAG."


def monolith(sides: Sides) -> str | None:
    # One slow answer is no illness.
    fault = sides.wait_until(sides.monolith_fault, BLIP_SECONDS)
    if fault is None:
        return None
    return f"The monolith has to run and be well first: {fault}."


def stores(sides: Sides) -> str | None:
    """Where compose runs them; elsewhere the monolith's readiness speaks for them."""
    for name in STORES:
        for container in sides.engine.containers(name):
            if not container.healthy:
                return f"{name} is {container.status}, {container.health}: bring it back first."
    return None


def keys(sides: Sides) -> str | None:
    found = sides.one(MONOLITH)
    environment = found.environment if found else {}
    if environment.get("API_KEYS") and not environment.get("ADMIN_API_KEYS"):
        return (
            "ADMIN_API_KEYS is empty beside API_KEYS, so no test template can be written: set one."
        )
    return None


def backlog(sides: Sides) -> str | None:
    found = sides.one(MONOLITH)
    if found is None or found.url is None:
        return None
    waiting = Service(found.url, keys_of(found)).events_waiting()
    if waiting is None:
        return "The monolith does not say how many events wait (/v1/rag/status): look at its log."
    if waiting > BACKLOG:
        return f"{waiting} events wait in the stream: let the import end first ({BACKLOG} at most)."
    return None


def disk() -> str | None:
    folder = Path(engine.data_folder())
    # The engine's machine may be another one, or the folder not for everybody's eyes.
    if not folder.exists():
        return None
    free = shutil.disk_usage(folder).free
    if free >= FREE_DISK:
        return None
    return f"{folder} has {free / GIB:.1f} GiB left: make room for {FREE_DISK / GIB:.0f} GiB."


def memory(sides: Sides, meminfo: Path = Path("/proc/meminfo")) -> str | None:
    if not meminfo.exists() or any(worker.running for worker in sides.engine.containers(WORKER)):
        return None
    lines = (line.split() for line in meminfo.read_text().splitlines())
    free = next((int(words[1]) << 10 for words in lines if words[0] == "MemAvailable:"), None)
    if free is None or free >= FREE_MEMORY:
        return None
    return (
        f"{free / GIB:.1f} GiB of memory are free and both sides run for a while: "
        f"{FREE_MEMORY / GIB:.1f} GiB are needed."
    )


def port(sides: Sides, declared: dict[str, Declared]) -> str | None:
    wanted = declared[API]
    if wanted.port is None:
        return f"The compose files publish no port of {API}: clients could not reach it."
    if any(one.running for one in sides.engine.containers(API)):
        return None
    try:
        with socket.socket(socket.AF_INET6 if ":" in wanted.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((wanted.host, wanted.port))
    except OSError as error:
        return (
            f"Port {wanted.port} of {wanted.host or 'this machine'} cannot be had "
            f"({error.strerror}): free it, or set PUBLISH_API_PORT."
        )
    return None


# Quoted: Python 3.9 evaluates it.
Check = tuple[str, Callable[[], "str | None"]]


def checks(sides: Sides, declared: dict[str, Declared]) -> list[Check]:
    """What each is about, and the check; an engine and valid files are there by now."""
    return [
        ("both images are there", lambda: images(declared)),
        ("the monolith is well", lambda: monolith(sides)),
        ("the stores are well", lambda: stores(sides)),
        ("a test template may be written", lambda: keys(sides)),
        ("few events wait", lambda: backlog(sides)),
        ("disk", disk),
        ("memory", lambda: memory(sides)),
        ("the API's port is free", lambda: port(sides, declared)),
    ]
