"""From the options to the programs; everything that can be wrong is found out here."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from explanation_service.settings import Settings, SettingsError, load_settings
from explanation_service.standalone import embedded_stores, logs, ports
from explanation_service.standalone.data_directory import DataDirectory
from explanation_service.standalone.faults import CannotStart
from explanation_service.standalone.options import Options
from explanation_service.standalone.program import Program, python_environment, python_module
from explanation_service.standalone.services import (
    Addresses,
    api_program,
    service_environment,
    worker_program,
)

# What sentence-transformers or transformers look for in a model's directory.
_MODEL_FILES = ("modules.json", "config.json")


@dataclass(frozen=True)
class Plan:
    """`sample` is the one-shot program that brings the sample rule book, when there is to be one;
    `headers` are what a client with our rights sends."""

    stores: tuple[Program, ...]
    services: tuple[Program, ...]
    sample: Program | None
    addresses: Addresses
    headers: dict[str, str]


def check(options: Options) -> tuple[Settings, Path]:
    """The settings, and the model's directory. Starts and writes nothing. Raises CannotStart."""
    overrides = {
        "mongodb_uri": options.mongodb_uri,
        "redis_url": options.redis_url,
        "qdrant_url": options.qdrant_url,
        "log_level": options.log_level,
        "embedding_model_path": options.model_path,
        "api_host": options.host,
    }
    try:
        settings = load_settings(**{k: v for k, v in overrides.items() if v is not None})
    except SettingsError as error:
        raise CannotStart(str(error)) from None
    if options.port and not ports.is_free(options.port, options.host):
        raise CannotStart(f"Port {options.port} of {options.host} is taken or not allowed.")
    if options.mongodb_uri is None:
        embedded_stores.require_package("secantus", "--mongodb-uri")
    if options.qdrant_url is None:
        embedded_stores.require_package("qdrant_edge", "--qdrant-url")
    return settings, _model_directory(settings)


def draw_up(options: Options, settings: Settings, model: Path, data: DataDirectory) -> Plan:
    """Every program with its port, folder and log. Raises CannotStart."""
    redis_port, mongodb_port, qdrant_port, worker_port, api_port = ports.free_ports(5)
    run = data.folder("run")
    addresses = Addresses(
        mongodb_uri=options.mongodb_uri or f"mongodb://127.0.0.1:{mongodb_port}",
        redis_url=options.redis_url or f"redis://127.0.0.1:{redis_port}/0",
        qdrant_url=options.qdrant_url or f"http://127.0.0.1:{qdrant_port}",
        api_host=options.host,
        api_port=options.port or api_port,
        worker_port=worker_port,
    )
    _write_addresses(run / "stores.env", addresses)
    python = python_environment(data.folder("bytecode"))
    environment = service_environment(
        addresses, python, model, settings.log_level, embedded_qdrant=options.qdrant_url is None
    )
    if settings.fasttext_model_path is not None:
        # The children work in another directory than the one it may be relative to.
        environment["FASTTEXT_MODEL_PATH"] = str(settings.fasttext_model_path.absolute())

    log_folder = data.folder("logs")

    def log(name: str) -> Path:
        file = log_folder / f"{name}.log"
        logs.rotate(file)
        return file

    stores: list[Program] = []
    if options.redis_url is None:
        executable = embedded_stores.find_redis(run)
        folder = data.folder("redis")
        stores.append(embedded_stores.redis_program(executable, redis_port, folder, log("redis")))
    if options.mongodb_uri is None:
        folder = data.folder("mongodb")
        stores.append(
            embedded_stores.mongodb_program(mongodb_port, folder, run, log("mongodb"), python)
        )
    if options.qdrant_url is None:
        folder = data.folder("qdrant")
        stores.append(embedded_stores.qdrant_program(qdrant_port, folder, log("qdrant"), python))
    return Plan(
        stores=tuple(stores),
        services=(
            # First, for its model takes the longest.
            worker_program(addresses, environment, run, log("worker")),
            api_program(addresses, environment, run, log("api")),
        ),
        sample=_sample_program(environment, run, log) if options.sample else None,
        addresses=addresses,
        headers=_headers(settings),
    )


def _write_addresses(file: Path, addresses: Addresses) -> None:
    """For other commands on the same stores: `set -a; . FILE`. It may hold passwords."""
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    lines = {
        "MONGODB_URI": addresses.mongodb_uri,
        "REDIS_URL": addresses.redis_url,
        "QDRANT_URL": addresses.qdrant_url,
    }
    file.write_text("".join(f"{name}={shlex.quote(text)}\n" for name, text in lines.items()))


def _sample_program(environment: dict[str, str], run: Path, log: Callable[[str], Path]) -> Program:
    return Program(
        name="sample",
        command=python_module("explanation_service.standalone.sample_rules"),
        log=log("sample"),
        working_directory=run,
        ready=lambda: True,
        environment=environment,
    )


def _headers(settings: Settings) -> dict[str, str]:
    keys = settings.admin_api_keys or settings.api_keys
    return {"X-API-Key": keys[0].get_secret_value()} if keys else {}


def _model_directory(settings: Settings) -> Path:
    path = settings.embedding_model_path or Path(settings.embedding_model_name)
    named = settings.embedding_model_path is not None
    if not path.is_dir():
        raise CannotStart(
            f"There is no model directory {path}; name another with --model-path "
            "or EMBEDDING_MODEL_PATH."
            if named
            else "The directory of the embedding model must be named with --model-path "
            "or EMBEDDING_MODEL_PATH."
        )
    if not any((path / name).is_file() for name in _MODEL_FILES):
        raise CannotStart(
            f"{path} holds no embedding model: it has neither modules.json nor config.json."
        )
    embedded_stores.require_package("sentence_transformers", "--help")
    return path.absolute()
