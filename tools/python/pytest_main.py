"""Runs pytest on the files that Bazel names, with its report where Bazel looks for it."""

from __future__ import annotations

import os
import signal
import sys
from importlib.util import find_spec

import pytest


class NoSkips:
    """In CI a skipped test or file fails its target: there, everything that it needs is had."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def _note(self, report: pytest.CollectReport | pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped:
            print(f"\nskipped, which CI does not allow: {', '.join(self.skipped)}")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


class PatientHypothesis:
    """Tests run side by side, and a busy machine is no fault of theirs: no time limits, as in the
    profile that hypothesis takes by itself in CI."""

    def pytest_configure(self) -> None:
        if find_spec("hypothesis") is not None:
            from hypothesis import HealthCheck, settings

            settings.register_profile(
                "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
            )
            settings.load_profile("patient")


def main() -> int:
    # Bazel ends a test that is interrupted or late with SIGTERM, and kills it 15 s later: until
    # then all that fixtures have started comes to its end, containers included.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Bazel starts tests in the runfiles root of the main repository, where pyproject.toml lies.
    arguments = ["-p", "no:cacheprovider", "--rootdir", os.getcwd(), "-c", "pyproject.toml"]
    if report := os.environ.get("XML_OUTPUT_FILE"):
        arguments += [f"--junitxml={report}", "-o", "junit_family=xunit1"]
    if pattern := os.environ.get("TESTBRIDGE_TEST_ONLY"):
        arguments += ["-k", pattern]
    # pytest's 5 (no test collected) stays a failure: a test target without tests is a mistake.
    plugins = [NoSkips()] if os.environ.get("CI") == "true" else [PatientHypothesis()]
    return int(pytest.main([*arguments, *sys.argv[1:]], plugins=plugins))


if __name__ == "__main__":
    sys.exit(main())
