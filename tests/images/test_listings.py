"""Nothing comes into a layer or goes from it without being seen."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import pytest

from tests.images.listings import LISTINGS, listing

COMMAND = "./bazelw run //tests/images:accept_listings"


@pytest.mark.parametrize("name", LISTINGS)
def test_a_layer_holds_what_its_listing_says(name: str) -> None:
    path = Path("tests/images/listings") / f"{name}.txt"
    difference = list(
        unified_diff(
            path.read_text().splitlines(),
            listing(name).splitlines(),
            f"listings/{name}.txt",
            "built",
            n=0,
            lineterm="",
        )
    )
    shown = "\n".join(difference[:40])
    assert not difference, f"{shown}\n\nIf that is meant: {COMMAND}"
