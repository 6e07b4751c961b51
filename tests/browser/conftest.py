"""A real service and a real browser: the machine's Chromium.

A missing browser, package or model skips a test on a laptop and fails it where CI is set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from bench.chromium import NAMES, chromium, find_chromium
from bench.console_service import ConsoleService, console_service
from bench.service_programs import MODEL_VARIABLE
from explanation_service.content.template import TemplateDraft
from explanation_service.standalone.faults import CannotStart

# Milliseconds that a condition may take on a machine that others share.
_PATIENCE = 120_000

# The first one begins with letters that are two UTF-16 units each; ranges of highlights are code
# points.
_RULES = {
    "cow": (
        "Правописание слова корова",
        "𝒜😀🇷🇺 Слово корова пишется через «о». Проверить его нельзя, запомните: корова.",
    ),
    "verbs": ("НЕ с глаголами", "Частица «не» с глаголами пишется раздельно: не знал, не был."),
    "tsya": ("Тся и ться", "В инфинитиве пишется мягкий знак: что делать? учиться, стараться."),
    "dash": ("Тире", "Между подлежащим и сказуемым ставится тире, когда связка опущена."),
}


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def rules() -> dict[str, tuple[str, str]]:
    """Titles and bodies by id of what stands in the index."""
    return _RULES


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = find_chromium()
    if executable is None:
        _missing(f"no browser on PATH: {', '.join(NAMES)}")
    expect.set_options(timeout=_PATIENCE)
    with chromium(executable) as browser:
        yield browser


@pytest.fixture(scope="module")
def service(
    browser: Browser, rules: dict[str, tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ConsoleService]:
    """With the rules in its index."""
    model = os.environ.get(MODEL_VARIABLE)
    if not model or not (Path(model) / "modules.json").is_file():
        _missing(f"{MODEL_VARIABLE} names no directory of an embedding model")
    try:
        with console_service(tmp_path_factory.mktemp("console")) as service:
            service.fill(
                (key, TemplateDraft(title=title, body=body)) for key, (title, body) in rules.items()
            )
            yield service
    except CannotStart as reason:
        _missing(str(reason))


class Watch:
    """What the pages of a test did behind the scenes. `expected`: parts of console messages that
    the test provokes."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: list[str] = []
        self.expected: list[str] = []

    def on(self, context: BrowserContext) -> None:
        context.on("request", lambda request: self.requests.append(request))
        context.on("console", lambda message: self._note(message.type, message.text))
        context.on("weberror", lambda error: self._note("error", str(error.error)))
        context.on("dialog", lambda dialog: self._dialog(dialog))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(part in text for part in self.expected):
            self.faults.append(text)

    def _dialog(self, dialog: Any) -> None:
        if dialog.type == "confirm":
            dialog.accept()
        else:
            self.faults.append(f"{dialog.type}: {dialog.message}")
            dialog.dismiss()


@pytest.fixture
def watch(service: ConsoleService) -> Iterator[Watch]:
    """Fails the test for an error in the browser's console, an alert, and a request to anybody
    but the service."""
    watch = Watch()
    yield watch
    assert not watch.faults
    hosts = {urlsplit(request.url).netloc for request in watch.requests}
    assert hosts <= {urlsplit(service.url).netloc}


@pytest.fixture
def open_console(
    browser: Browser, service: ConsoleService, watch: Watch
) -> Iterator[Callable[..., Page]]:
    """Opens a view of the console in a profile of its own; a Russian desktop in the light unless
    said otherwise."""
    contexts: list[BrowserContext] = []
    service.script()

    def open_console(view: str = "", **options: Any) -> Page:
        context = browser.new_context(
            **{"locale": "ru-RU", "color_scheme": "light", "reduced_motion": "reduce", **options}
        )
        contexts.append(context)
        context.set_default_timeout(_PATIENCE)
        watch.on(context)
        page = context.new_page()
        page.goto(f"{service.url}/#{view}" if view else service.url)
        # The script has run, and the service's state has been asked.
        expect(page.locator("#strip .dot")).to_have_count(4)
        return page

    yield open_console
    for context in contexts:
        for page in context.pages:
            # A route of the test may be answering just now.
            page.unroute_all(behavior="ignoreErrors")
        context.close()
