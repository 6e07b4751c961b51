"""What a call of YandexGPT can fail with, and what follows from it."""

from __future__ import annotations

from explanation_service.explanations.language_model import LanguageModelUnavailable

# Characters of a server's own words that go into a log line.
_MOST_DETAIL = 200


class CallFailed(LanguageModelUnavailable):
    """One call, or one attempt of it.

    `retryable`: nothing was generated, and a moment later it may be; `counts`: a sign that the
    service is unwell, for the circuit breaker. `reason` is also the outcome in the metrics.
    """

    def __init__(
        self,
        reason: str,
        detail: str = "",
        *,
        retryable: bool = False,
        counts: bool = True,
        lasting: bool = False,
    ) -> None:
        super().__init__(reason, " ".join(detail.split())[:_MOST_DETAIL], lasting=lasting)
        self.retryable = retryable
        self.counts = counts


def failure_of_status(status: int, detail: str) -> CallFailed:
    """For an answer with another status than 200, or an error line in a stream."""
    if status in (401, 403):
        return CallFailed("unauthorized", detail)
    if status == 429:
        return CallFailed("rate_limited", detail, retryable=True)
    if status in (500, 503):
        return CallFailed("server_error", detail, retryable=True)
    if status in (408, 504):
        return CallFailed("upstream_timeout", detail)
    if status >= 500:
        return CallFailed("server_error", detail)
    # 400 and whatever else it does not like about this very request; no sign of ill health.
    return CallFailed("rejected", f"{status} {detail}", counts=False)


def bad_answer(detail: str) -> CallFailed:
    """For a body that is not what the protocol says: HTML, JSON cut off, a field missing."""
    return CallFailed("bad_answer", detail)


def refused() -> CallFailed:
    """The content filter: asking again gives the same."""
    return CallFailed("refused", counts=False, lasting=True)
