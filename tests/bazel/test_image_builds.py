"""What makes builds fast, shown on real ones: equal digests everywhere, one new layer for an edit,
and everything from the remote cache for a fresh checkout.

One chain of builds, each going on where the one before ended: one from nothing costs minutes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bazel.nested import LAYER_ACTIONS, Cache, Checkout, nginx

IMAGES = ("//images:api", "//images:worker")
LOADS = ("//images:api_load", "//images:worker_load")
API_SOURCE = "src/explanation_service/api/main.py"
WORKER_SOURCE = "src/explanation_service/indexing/main.py"
EDIT = "\n# An edit.\n"
# Bytes. The ML and the model layer are 230 and 161 MB.
API_DOWNLOAD = 80_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nested").resolve()


@pytest.fixture(scope="module")
def cache(folder: Path) -> Iterator[Cache]:
    with nginx(folder / "cache") as server:
        yield server


@pytest.fixture(scope="module")
def first(folder: Path, cache: Cache) -> Iterator[Checkout]:
    """Both images built from nothing, elsewhere and with other settings than the build around."""
    checkout = Checkout(folder / "first", timezone="Asia/Vladivostok", umask=0o077)
    try:
        checkout.build(*IMAGES, *LOADS, cache=cache.url)
        yield checkout
    finally:
        checkout.close()


def built_around(image: str) -> str:
    return Path(f"images/{image}.sha256").read_text().strip()


@pytest.mark.parametrize("image", ["api", "worker"])
def test_another_place_gives_the_same_digest(first: Checkout, image: str) -> None:
    assert first.digest(image) == built_around(image)


def image_actions(checkout: Checkout) -> dict[tuple[str, str], int]:
    return {action: count for action, count in checkout.ran().items() if action[0] in LAYER_ACTIONS}


@pytest.mark.parametrize(
    ("edited", "image", "other"),
    [(API_SOURCE, "api", "worker"), (WORKER_SOURCE, "worker", "api")],
)
def test_an_edit_makes_one_layer_anew(first: Checkout, edited: str, image: str, other: str) -> None:
    before = {name: first.digest(name) for name in (image, other)}
    original = (first.folder / edited).read_text()
    first.append(edited, EDIT)
    # No cache: all that is not kept has to run.
    first.build(*IMAGES, *LOADS)
    assert first.ran() == {
        ("ImageLayer", f"//images:{image}_layer"): 1,
        ("OciLayer", f"//images:{image}"): 1,
        ("OciImage", f"//images:{image}"): 1,
    }
    assert first.digest(image) != before[image]
    assert first.digest(other) == before[other]

    (first.folder / edited).write_text(original)
    first.build(*IMAGES, *LOADS)
    assert first.digest(image) == before[image]


def test_a_cache_that_has_gone_stops_no_build(first: Checkout) -> None:
    first.append(API_SOURCE, EDIT + "# Another one.\n")
    first.build("//images:api", cache="http://127.0.0.1:9")
    assert ("OciImage", "//images:api") in first.ran()


def test_a_fresh_checkout_takes_the_api_from_the_cache(
    first: Checkout, cache: Cache, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = Checkout(folder / "second", timezone="UTC", umask=0o022)
    try:
        cache.mark()
        begun = time.monotonic()
        second.build("//images:api", "//images:api.digest", cache=cache.url)
        seconds = time.monotonic() - begun
        sent = cache.sent()
        with capsys.disabled():
            megabytes = sum(sent) / 1e6
            print(f"\nAPI image in a fresh checkout: {seconds:.1f} s, {megabytes:.1f} MB")
        assert second.digest("api") == built_around("api")
        assert image_actions(second) == {}
        hits = second.hits()
        # Base, interpreter, third party, library, application; each described; three images.
        assert (hits["ImageLayer"], hits["OciLayer"], hits["OciImage"]) == (5, 5, 3)
        assert second.remote_hits_said() == hits.total()
        assert sum(sent) < API_DOWNLOAD
        assert max(sent) < 60_000_000, "an ML layer was downloaded"

        cache.mark()
        second.build(
            "//images:worker", cache=cache.url, flags=("--remote_download_outputs=minimal",)
        )
        assert image_actions(second) == {}
        hits = second.hits()
        # ML, model, application (the rest is there); the worker's own four layers are described.
        assert (hits["ImageLayer"], hits["OciLayer"], hits["OciImage"]) == (3, 4, 1)
        assert hits["EmbeddingModel"] == 1
        assert sum(cache.sent()) < 5_000_000, "only what was asked for is downloaded"
    finally:
        second.close()
