from __future__ import annotations

import json
from pathlib import Path

from tools.ci.count_results import Counts, count_report, results

REPORT = """<testsuites><testsuite>
<testcase name="a"/><testcase name="b"><failure/></testcase>
<testcase name="c"><skipped/></testcase><testcase name="d"><error/></testcase>
</testsuite></testsuites>"""


def test_cases_are_counted_by_outcome(tmp_path: Path) -> None:
    report = tmp_path / "test.xml"
    report.write_text(REPORT)
    assert count_report(report, target_passed=False) == Counts(1, 2, 1)


def test_a_failed_target_counts_even_when_its_report_is_clean_or_missing(tmp_path: Path) -> None:
    report = tmp_path / "test.xml"
    report.write_text("<testsuites><testsuite><testcase name='a'/></testsuite></testsuites>")
    assert count_report(report, target_passed=False) == Counts(1, 1, 0)
    assert count_report(tmp_path / "none.xml", target_passed=False) == Counts(0, 1, 0)


def test_only_the_last_attempt_of_a_target_counts() -> None:
    def event(status: str, attempt: int) -> str:
        return json.dumps(
            {
                "id": {"testResult": {"label": "//a:b", "run": 1, "shard": 1, "attempt": attempt}},
                "testResult": {
                    "status": status,
                    "testActionOutput": [{"name": "test.xml", "uri": "file:///logs/test%20a.xml"}],
                },
            }
        )

    assert list(results([event("FAILED", 1), event("PASSED", 2), '{"id": {}}'])) == [
        ("//a:b#1.1", "PASSED", Path("/logs/test a.xml"))
    ]


def test_an_incompatible_test_counts_as_skipped() -> None:
    def configured(label: str, size: dict[str, str]) -> str:
        return json.dumps({"id": {"targetConfigured": {"label": label}}, "configured": size})

    def skipped(label: str, reason: str = "SKIPPED") -> str:
        return json.dumps(
            {"id": {"targetCompleted": {"label": label}}, "aborted": {"reason": reason}}
        )

    events = [
        configured("//a:test", {"testSize": "SMALL"}),
        configured("//a:broken_test", {"testSize": "SMALL"}),
        configured("//a:library", {}),
        skipped("//a:test"),
        skipped("//a:broken_test", "ANALYSIS_FAILURE"),
        skipped("//a:library"),
    ]
    assert list(results(events)) == [("//a:test", "SKIPPED", None)]


def test_the_closing_line() -> None:
    assert str(Counts(3, 0, 1)) == "3 passed, 0 failed, 1 skipped"
