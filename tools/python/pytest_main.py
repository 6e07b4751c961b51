"""Runs pytest on the files that Bazel names, with its report where Bazel looks for it."""

from __future__ import annotations

import os
import sys

import pytest


def main() -> int:
    # Bazel starts tests in the runfiles root of the main repository, where pyproject.toml lies.
    arguments = ["-p", "no:cacheprovider", "--rootdir", os.getcwd(), "-c", "pyproject.toml"]
    if report := os.environ.get("XML_OUTPUT_FILE"):
        arguments += [f"--junitxml={report}", "-o", "junit_family=xunit1"]
    if pattern := os.environ.get("TESTBRIDGE_TEST_ONLY"):
        arguments += ["-k", pattern]
    # pytest's 5 (no test collected) stays a failure: a test target without tests is a mistake.
    return int(pytest.main([*arguments, *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
