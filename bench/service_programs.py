"""The service's own processes beside the stores of a bench."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from explanation_service.standalone import services
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.program import Program, python_environment

MODEL_VARIABLE = "EXPLANATION_TEST_MODEL"


class ServicePrograms:
    """An API and any number of workers over the stores at these addresses (named as in Settings);
    logs and whatever else they write go into `folder`."""

    def __init__(
        self, stores: Mapping[str, str], folder: Path, collection: str = "templates"
    ) -> None:
        self._folder = folder
        self._collection = collection
        api_port, worker_port = free_ports(2)
        self._addresses = services.Addresses(
            mongodb_uri=stores["mongodb_uri"],
            redis_url=stores["redis_url"],
            qdrant_url=stores["qdrant_url"],
            api_host="127.0.0.1",
            api_port=api_port,
            worker_port=worker_port,
        )
        self.url = self._addresses.api_url

    def api(self) -> Program:
        """The API, open to everybody."""
        environment = {**self._environment(self._addresses), "API_KEYS": "", "ADMIN_API_KEYS": ""}
        return services.api_program(
            self._addresses, environment, self._folder, self._folder / "api.log"
        )

    def worker(self, name: str) -> Program:
        """A worker with a name and a port of its own."""
        (port,) = free_ports(1)
        addresses = dataclasses.replace(self._addresses, worker_port=port)
        environment = {**self._environment(addresses), "REDIS_CONSUMER_NAME": name}
        return services.worker_program(
            addresses, environment, self._folder, self._folder / f"{name}.log"
        )

    def _environment(self, addresses: services.Addresses) -> dict[str, str]:
        environment = services.service_environment(
            addresses,
            python_environment(),
            Path(os.environ.get(MODEL_VARIABLE, "model")).absolute(),
            "WARNING",
            embedded_qdrant=True,
        )
        return {**environment, "QDRANT_COLLECTION": self._collection}
