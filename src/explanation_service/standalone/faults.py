"""Why a start or a run came to an end."""

from __future__ import annotations


class CannotStart(Exception):
    """Nothing was started; the text is one sentence for the terminal."""

    exit_code = 2


class DataDirectoryInUse(CannotStart):
    """Another `explanation standalone` runs on the same data."""

    exit_code = 1


class GaveUp(Exception):
    """Something that ran cannot be kept running; the text is one sentence for the terminal."""
