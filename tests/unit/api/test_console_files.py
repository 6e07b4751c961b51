"""The console's files: what they are served as, and what has to hold for their text."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from explanation_service.api import console

LIMIT_BYTES = 60_000
FILES = {
    file.name: file.read_text(encoding="utf-8")
    for file in resources.files(console).iterdir()
    if file.name.endswith((".html", ".css", ".js", ".svg"))
}
SCRIPTS = {name: text for name, text in FILES.items() if name.endswith(".js")}
MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@pytest.mark.parametrize("name", FILES)
async def test_each_file_is_served_as_what_it_is(client, name):
    answer = await client.get(f"/console/{name}")
    assert (answer.status_code, answer.text) == (200, FILES[name])
    assert answer.headers["content-type"] == MEDIA_TYPES[name.rpartition(".")[2]]
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = await client.get(f"/console/{name}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    changed = await client.get(f"/console/{name}", headers={"If-None-Match": '"other"'})
    assert changed.status_code == 200


async def test_the_policy_allows_no_code_within_the_page(client):
    answer = await client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "style-src 'self'" in policy
    assert "unsafe" not in policy
    # What it would forbid, and a browser would leave out.
    assert not re.search(
        r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", answer.text
    )


@pytest.mark.parametrize("name", ["__init__.py", "nothing.js", "..%2Fapp.py", "%2Fetc%2Fpasswd"])
async def test_nothing_else_is_served(client, name):
    assert (await client.get(f"/console/{name}")).status_code == 404


def test_all_of_it_is_small():
    assert sum(len(text.encode()) for text in FILES.values()) <= LIMIT_BYTES


def test_nothing_comes_from_outside():
    for name, text in FILES.items():
        text = text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|[\"'(]//|@import|url\(", text), name


def test_content_cannot_become_markup():
    for name, text in SCRIPTS.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text), (
            name
        )


def test_every_word_is_there_in_two_languages():
    pairs = re.findall(
        r'^  "?([\w.-]+)"?: \[(.*?)\],$', SCRIPTS["words.js"], re.DOTALL | re.MULTILINE
    )
    words = {key: re.findall(r'"([^"]*)"', both) for key, both in pairs}
    assert all(len(both) == 2 and all(both) for both in words.values())
    assert len(words) == len(pairs), "a key stands twice"
    asked = set(re.findall(r'data-(?:t|label|title)="([\w.-]+)"', FILES["index.html"]))
    for text in SCRIPTS.values():
        asked |= set(re.findall(r'\bsay\("([\w.-]+)"[,)]', text))
    assert asked <= set(words)


def test_modules_import_what_is_there():
    for name, text in SCRIPTS.items():
        for names, module in re.findall(r'import \{ (.*?) \} from "\./(.*?)"', text):
            exported = set(
                re.findall(r"export (?:async )?(?:const|class|function\*?) (\w+)", SCRIPTS[module])
            )
            assert set(names.split(", ")) <= exported, f"{name} from {module}"
            for one in names.split(", "):
                assert len(re.findall(rf"\b{one}\b", text)) > 1, f"{name} does not use {one}"
