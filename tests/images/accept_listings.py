"""Writes the listings of the layers that were built into the source tree, for review and commit.

./bazelw run //tests/images:accept_listings
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.images.listings import LISTINGS, listing


def main() -> int:
    folder = Path(os.environ["BUILD_WORKSPACE_DIRECTORY"]) / "tests" / "images" / "listings"
    folder.mkdir(exist_ok=True)
    for name in LISTINGS:
        path = folder / f"{name}.txt"
        text = listing(name)
        changed = not path.is_file() or path.read_text() != text
        path.write_text(text)
        print(f"{path.name}: {'written' if changed else 'as it was'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
