"""What lies in each layer, as text that a person can review: modes, owners, paths.

Folders of many files (the standard library, each third-party package, time zones) are one line
with the number of their files, so that a listing changes only when the shape does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from tarfile import TarInfo

from tests.images.artefacts import SITE_PACKAGES, layer

# By the name of the listing: the image that has the layer, and the layer.
LISTINGS = {
    "base": ("api", "base"),
    "interpreter": ("api", "interpreter"),
    "third_party": ("api", "third_party"),
    "ml": ("worker", "ml"),
    "model": ("worker", "model"),
    "library": ("api", "library"),
    "api": ("api", "application"),
    "worker": ("worker", "application"),
}
SUMMED = (
    f"{SITE_PACKAGES}/",
    "usr/lib/python3.11/",
    "usr/share/doc/",
    "usr/share/zoneinfo/",
    "usr/share/ca-certificates/mozilla/",
)
_KINDS = {b"0": "-", b"2": "l", b"5": "d"}


def _line(member: TarInfo) -> str:
    target = f" -> {member.linkname}" if member.issym() else ""
    kind = _KINDS.get(member.type, "?")
    return f"{kind}{member.mode:04o} {member.uid}:{member.gid} /{member.name}{target}"


def _group(name: str) -> str | None:
    """The folder below a summed one that a name lies in; None where it has a line of its own."""
    for prefix in SUMMED:
        if name.startswith(prefix):
            first, _, rest = name.removeprefix(prefix).partition("/")
            if prefix in (SUMMED[0], SUMMED[1]):
                return f"{prefix}{first}/" if rest else None
            return prefix
    return None


def lines(members: list[TarInfo]) -> Iterator[str]:
    counts: Counter[str] = Counter()
    single = []
    for member in members:
        group = _group(member.name)
        if group is None:
            if not member.isdir() or member.mode != 0o755 or member.uid:
                single.append((member.name, _line(member)))
        elif not member.isdir():
            counts[group] += 1
    many = [(group, f"{count} files /{group}") for group, count in counts.items()]
    yield from (line for _, line in sorted(single + many))


def listing(name: str) -> str:
    """The text of tests/images/listings/NAME.txt."""
    return "\n".join(lines(layer(*LISTINGS[name]))) + "\n"
