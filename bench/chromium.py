"""The machine's own Chromium, driven through playwright, which brings none of its own here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without the first, root may not start it. The last is for containers, whose /dev/shm is small;
# the others keep the browser from talking to anybody on its own.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
# Milliseconds; on a quiet machine it takes one second.
_START = 120_000


def find_chromium() -> str | None:
    """The path of the first of the names that is on PATH."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium(executable: str) -> Iterator[Browser]:
    """A headless browser with an empty profile of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=list(_ARGUMENTS), timeout=_START
        )
        try:
            yield browser
        finally:
            browser.close()
