"""Counts test cases of one Bazel run and prints `N passed, N failed, N skipped`.

    count_results BUILD_EVENTS_JSON

The counts come from the test.xml of every target that the run reports, cached ones included; a
target without a readable report counts as one failed case and a test that does not fit this machine
as a skipped one, so that nothing is lost in silence.
"""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse


@dataclass(frozen=True)
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def count_report(report: Path, target_passed: bool) -> Counts:
    """Counts of one test.xml; the target's own status decides where the file says nothing."""
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        cases = []
    counts = Counts()
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            counts += Counts(failed=1)
        elif case.find("skipped") is not None:
            counts += Counts(skipped=1)
        else:
            counts += Counts(passed=1)
    if not target_passed and not counts.failed:
        counts += Counts(failed=1)
    if target_passed and counts == Counts():
        counts = Counts(passed=1)
    return counts


def results(events: Iterable[str]) -> Iterator[tuple[str, str, Path | None]]:
    """Label, status and test.xml of the last attempt of each test target.

    The status of an incompatible target is SKIPPED.
    """
    last: dict[str, tuple[str, Path | None]] = {}
    tests = set()
    for line in events:
        event = json.loads(line)
        if event.get("configured", {}).get("testSize"):
            tests.add(event["id"]["targetConfigured"]["label"])
        if event.get("aborted", {}).get("reason") == "SKIPPED":
            label = event["id"].get("targetCompleted", {}).get("label")
            if label in tests:
                last[label] = ("SKIPPED", None)
        if "testResult" not in event:
            continue
        result = event["testResult"]
        uris = {output["name"]: output.get("uri", "") for output in result["testActionOutput"]}
        uri = uris.get("test.xml")
        path = Path(unquote(urlparse(uri).path)) if uri else None
        identity = event["id"]["testResult"]
        key = f"{identity['label']}#{identity.get('shard', 1)}.{identity.get('run', 1)}"
        last[key] = (result["status"], path)
    for label, (status, path) in last.items():
        yield label, status, path


def main() -> int:
    total = Counts()
    with open(sys.argv[1], encoding="utf-8") as events:
        for _label, status, path in results(events):
            if status == "SKIPPED":
                total += Counts(skipped=1)
                continue
            total += count_report(path or Path("/nonexistent"), status in ("PASSED", "FLAKY"))
    print(total)
    return 0


if __name__ == "__main__":
    sys.exit(main())
