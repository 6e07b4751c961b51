"""`python -m explanation_service.healthcheck [URL]`: exit code 0 when the URL answers 200.

For containers without a shell or curl; the standard library alone, so that it costs a probe little.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

# Seconds; below the timeout that compose and Kubernetes give a probe.
TIMEOUT = 3.0


def default_url() -> str:
    """The API of this machine, at API_PORT."""
    return f"http://127.0.0.1:{os.environ.get('API_PORT') or 8080}/health"


def fault_of(url: str) -> str | None:
    """What is wrong, in a sentence; None when the URL answers 200."""
    if not url.startswith(("http://", "https://")):
        return f"{url} is no http address."
    try:
        # Past any proxy of the environment: what is probed is this machine.
        with build_opener(ProxyHandler({})).open(url, timeout=TIMEOUT) as answer:
            status = answer.status
    except HTTPError as error:
        with error:
            status = error.code
    except (OSError, HTTPException, ValueError) as error:
        why = getattr(error, "reason", None) or error
        return f"{url} does not answer: {why}."
    return None if status == 200 else f"{url} answers {status}."


def main(arguments: Sequence[str] | None = None) -> int:
    """Probe the URL given, or the API; the answer is the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    fault = fault_of(arguments[0] if arguments else default_url())
    if fault is not None:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
