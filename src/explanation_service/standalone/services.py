"""The API and the worker as programs of a standalone instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from explanation_service.standalone import probes
from explanation_service.standalone.program import Program, python_module

# One name over all restarts: a worker that was killed finds its unfinished entries at once, where
# another would wait for the lease of the dead one.
_CONSUMER = "standalone"


@dataclass(frozen=True)
class Addresses:
    """Where everything listens or is to be found."""

    mongodb_uri: str
    redis_url: str
    qdrant_url: str
    api_host: str
    api_port: int
    worker_port: int

    @property
    def api_local_host(self) -> str:
        """Where this machine reaches the API: a wildcard is no address to connect to."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.api_host, self.api_host)

    @property
    def api_url(self) -> str:
        host = self.api_local_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.api_port}"


def service_environment(
    addresses: Addresses,
    python: Mapping[str, str],
    model: Path,
    log_level: str,
    embedded_qdrant: bool,
) -> dict[str, str]:
    """Laid over the environment that the user gave, which keeps keys and the like."""
    settings = {
        **python,
        "MONGODB_URI": addresses.mongodb_uri,
        "REDIS_URL": addresses.redis_url,
        "REDIS_CONSUMER_NAME": _CONSUMER,
        "QDRANT_URL": addresses.qdrant_url,
        "API_HOST": addresses.api_host,
        "API_PORT": str(addresses.api_port),
        "WORKER_HOST": "127.0.0.1",
        "WORKER_PORT": str(addresses.worker_port),
        "WORKER_ROLE": "all",
        "START_EMBEDDING_WORKER": "false",
        "EMBEDDING_MODEL_PATH": str(model),
        "LOG_LEVEL": log_level,
    }
    if embedded_qdrant:
        # A key for another Qdrant is not for ours; an empty variable counts as absent.
        settings["QDRANT_API_KEY"] = ""
    return settings


def api_program(addresses: Addresses, environment: dict[str, str], run: Path, log: Path) -> Program:
    return Program(
        name="api",
        command=python_module("explanation_service.api"),
        log=log,
        working_directory=run,
        ready=probes.http_ok(addresses.api_port, "/health/ready", addresses.api_local_host),
        environment=environment,
    )


def worker_program(
    addresses: Addresses, environment: dict[str, str], run: Path, log: Path
) -> Program:
    return Program(
        name="worker",
        command=python_module("explanation_service.indexing"),
        log=log,
        working_directory=run,
        ready=probes.http_ok(addresses.worker_port, "/health/ready"),
        environment=environment,
    )
