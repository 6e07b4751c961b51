"""Makes the pictures of the console in docs/images anew, with the sample rule book.

./bazelw run //bench:console_screenshots [-- --folder docs/images --all]

It needs Chromium on PATH. With --all every view comes in light and dark, in Russian and English, on
a desktop and on a phone; to be looked at, not to be kept.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from bench.chromium import NAMES, chromium, find_chromium
from bench.console_service import ConsoleService, console_service
from explanation_service.content.importer import read_jsonl
from explanation_service.content.sample import sample_rule_book_path

# Milliseconds; see bench.console_service for why so many.
_PATIENCE = 120_000
# So large that a picture stays below 150 kB.
DESKTOP = {"width": 1100, "height": 640}
PHONE = {"width": 360, "height": 740}


def search(page: Page) -> None:
    """All lanes with the hits of an example."""
    page.locator("#search-examples button").first.click()
    for lane in ("lexical", "dense", "hybrid"):
        expect(page.locator(f".{lane} li").first).to_be_visible()


def explain(page: Page) -> None:
    """An answer that has come to its end."""
    page.locator("#explain-examples button").first.click()
    expect(page.locator("#answer-foot b").first).to_be_visible()


def edit(page: Page) -> None:
    """An edit that is searchable."""
    page.locator("#edit-id").fill("spelling-n-nn-adjectives")
    page.locator("#edit-id").press("Enter")
    expect(page.locator("#edit-name")).not_to_have_value("")
    body = page.locator("#edit-body")
    body.fill(body.input_value() + "\n\nСмотрите также: причастия.")
    body.evaluate("one => { one.scrollTop = 0; }")
    page.locator("#edit-save").click()
    expect(page.locator("#way-find")).to_be_visible()


def state(page: Page) -> None:
    """Everything up."""
    expect(page.locator("#workers td").first).to_be_visible()


VIEWS: dict[str, Callable[[Page], None]] = {
    "search": search,
    "explain": explain,
    "edit": edit,
    "state": state,
}
# File name, view, language, theme, size: those that the documents show.
KEPT = [
    ("console-search", "search", "ru-RU", "light", DESKTOP),
    ("console-edit", "edit", "en-US", "dark", DESKTOP),
    ("console-explain-phone", "explain", "ru-RU", "light", PHONE),
]
EVERY = [
    (f"{view}-{language[:2]}-{theme}-{name}", view, language, theme, size)
    for view in VIEWS
    for language in ("ru-RU", "en-US")
    for theme in ("light", "dark")
    for name, size in (("desktop", DESKTOP), ("phone", PHONE))
]


def take(
    browser: Browser,
    service: ConsoleService,
    path: Path,
    view: str,
    language: str,
    theme: str,
    size: dict[str, int],
) -> None:
    """One picture of what the window shows."""
    context = browser.new_context(
        viewport=size,  # type: ignore[arg-type]
        locale=language,
        color_scheme=theme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    context.set_default_timeout(_PATIENCE)
    page = context.new_page()
    page.goto(f"{service.url}/#{view}")
    expect(page.locator("#strip .dot")).to_have_count(4)
    VIEWS[view](page)
    # Nothing in work any more, as the strip has it.
    expect(page.locator("#strip b")).to_have_text(["1", "0", "0", "0"])
    page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    if size is PHONE and view == "explain":
        page.locator("#answer").scroll_into_view_if_needed()
    page.screenshot(path=path)
    context.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("docs/images"))
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    # `bazel run` starts programs among their runfiles.
    target = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", ".")) / options.folder
    target.mkdir(parents=True, exist_ok=True)
    executable = find_chromium()
    if executable is None:
        print(f"no browser on PATH: {', '.join(NAMES)}", file=sys.stderr)
        return 1
    expect.set_options(timeout=_PATIENCE)
    with (
        tempfile.TemporaryDirectory(prefix="console-") as folder,
        console_service(Path(folder)) as service,
        chromium(executable) as browser,
    ):
        service.fill(read_jsonl(sample_rule_book_path()))
        for name, *how in EVERY if options.all else KEPT:
            path = target / f"{name}.png"
            take(browser, service, path, *how)
            print(f"{path} {path.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
