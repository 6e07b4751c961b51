"""A whole service for a browser to look at: stores, the fake YandexGPT, an API and a worker."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.embedded_stores import embedded_stores
from bench.service_programs import ServicePrograms
from explanation_service.content.template import TemplateDraft
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.probes import http_ok
from explanation_service.standalone.process import Process, running
from explanation_service.standalone.program import Program, python_environment, python_module

# Seconds; the worker loads its model, and the cores may be shared.
_READY = 300.0
_KEY = "console"


@dataclasses.dataclass(frozen=True)
class ConsoleService:
    """`url` is the API's, which is open to everybody; `model` speaks to the fake's own routes."""

    url: str
    worker: Process
    client: httpx.Client
    model: httpx.Client

    def script(self, *then: dict[str, Any], **default: Any) -> None:
        """What the fake does with the next requests, and with those after them."""
        body = {"then": list(then), "default": default}
        self.model.post("/_control/script", json=body).raise_for_status()

    def fill(self, rules: Iterable[tuple[str, TemplateDraft]]) -> None:
        """Writes templates, until the worker has indexed them."""
        for template_id, draft in rules:
            body = draft.model_dump(mode="json")
            self.client.put(f"/v1/templates/{template_id}", json=body).raise_for_status()
        deadline = time.monotonic() + _READY
        while self._on_the_way():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the rules were not indexed within {_READY:.0f} s")
            time.sleep(0.2)

    def _on_the_way(self) -> bool:
        status = self.client.get("/v1/rag/status").raise_for_status().json()
        return bool(status["stream_lag"] or status["pending"] or not status["points"])


@contextmanager
def console_service(folder: Path) -> Iterator[ConsoleService]:
    """In `folder`, with an empty rule book. Raises RuntimeError when a part does not start."""
    (model_port,) = free_ports(1)
    model = Program(
        name="yandexgpt",
        command=python_module("yandexgpt_fake", "--port", str(model_port), "--api-key", _KEY),
        log=folder / "yandexgpt.log",
        working_directory=folder,
        ready=http_ok(model_port, "/health"),
        environment=python_environment(),
    )
    model_url = f"http://127.0.0.1:{model_port}"
    with ExitStack() as stack:
        programs = ServicePrograms(stack.enter_context(embedded_stores(folder)), folder)
        api = programs.api()
        environment = {**api.environment, **_api_environment(model_url)}
        stack.enter_context(running(model, _READY))
        stack.enter_context(running(dataclasses.replace(api, environment=environment), _READY))
        worker = stack.enter_context(running(programs.worker("worker-1"), _READY))
        yield ConsoleService(
            programs.url,
            worker,
            stack.enter_context(_client(programs.url)),
            stack.enter_context(_client(model_url)),
        )


def _api_environment(model_url: str) -> dict[str, str]:
    return {
        "YANDEXGPT_API_KEY": _KEY,
        "YANDEXGPT_FOLDER_ID": "console",
        "YANDEXGPT_BASE_URL": model_url,
        # So long that a slow machine does not turn an answer into another one; a look at the
        # page has no budget.
        "YANDEXGPT_TIMEOUT_SECONDS": "60",
        "SEARCH_BUDGET_MS": "10000",
    }


def _client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=60, trust_env=False)
