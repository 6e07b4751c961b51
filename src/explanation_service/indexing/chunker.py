"""Cuts a template's text into passages that the model can read whole, at sentence borders."""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from razdel import sentenize

from explanation_service.telemetry.metrics import embed_cut_texts_total

# Whoever alters the passages of some text below raises CHUNKER_VERSION in
# reconciliation/content_hash.py: index and text are compared by a hash that it is part of.

# Tokens of a passage, title and prefix included. multilingual-e5 reads 512, but one vector for a
# long passage blurs what each of its sentences says, and the API shows the passage to a pupil.
MAX_PASSAGE_TOKENS = 256
# Tokenising a part alone can cost a token or two more than in its context (the word-start mark).
SLACK_TOKENS = 4
# A title may take this share of a passage; the rest of a longer one is not embedded.
TITLE_SHARE = 0.25
# The repeated sentence may take this share of a passage, else there is no overlap.
OVERLAP_SHARE = 0.25

Spans = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Chunk:
    """One passage: text == body[start:stop], `embedded_text` is what the model gets to read."""

    text: str
    start: int
    stop: int
    embedded_text: str


def normalise_body(text: str) -> str:
    """The form in which a text is cut and hashed: NFC, no white space around."""
    return unicodedata.normalize("NFC", text).strip()


class Chunker:
    """Passages of at most min(max_tokens, 256) tokens of the model's own tokenizer.

    `token_spans` gives the (start, stop) characters of each token of a text; `frame_tokens` is
    the cost of prefix and special tokens.
    """

    def __init__(
        self, token_spans: Callable[[str], Spans], max_tokens: int, frame_tokens: int
    ) -> None:
        self._token_spans = token_spans
        self._room = max(16, min(max_tokens, MAX_PASSAGE_TOKENS) - frame_tokens - SLACK_TOKENS)

    def split(self, title: str, body: str) -> list[Chunk]:
        """At least one chunk; each character of `body` that is no white space is in one of them.

        `body` is already normalised. Chunks are about equally long; each but the first begins
        with the last sentence of the one before, if that is short.
        """
        heading = self._heading(title)
        budget = max(8, self._room - len(self._token_spans(heading)))
        starts = [start for start, _ in self._token_spans(body)]
        pieces = self._pieces(body, starts, budget)
        chunks = []
        for first, last in _group([count for _, _, count in pieces], budget):
            start, stop = pieces[first][0], pieces[last][1]
            text = body[start:stop]
            chunks.append(Chunk(text, start, stop, f"{heading}\n{text}" if heading else text))
        return chunks or [Chunk("", 0, 0, heading)]

    def _heading(self, title: str) -> str:
        title = " ".join(unicodedata.normalize("NFC", title).split())
        spans = self._token_spans(title)
        allowed = max(1, int(self._room * TITLE_SHARE))
        if len(spans) <= allowed:
            return title
        embed_cut_texts_total.labels("title").inc()
        return title[: spans[allowed - 1][1]]

    def _pieces(self, body: str, starts: Sequence[int], budget: int) -> list[tuple[int, int, int]]:
        """(start, stop, tokens) of each sentence; one above the budget comes in several parts."""
        pieces = []
        for sentence in sentenize(body):
            start = sentence.start
            stop = sentence.stop
            while start < stop:
                first = bisect_left(starts, start)
                count = bisect_left(starts, stop) - first
                # A token may begin with the space before the sentence.
                end = stop
                if count > budget:
                    end = _cut_before(body, start, starts[first + budget])
                    count = bisect_left(starts, end) - first
                pieces.append((start, end, max(1, count)))
                start = end
        return pieces


def _cut_before(body: str, start: int, limit: int) -> int:
    """The end of the last word that ends by `limit`, or `limit` inside of one endless word."""
    for at in range(limit, start + (limit - start) // 2, -1):
        if body[at - 1].isspace():
            return at
    return max(limit, start + 1)


def _group(counts: Sequence[int], budget: int) -> list[tuple[int, int]]:
    """(first, last) pieces of each chunk, balanced, with one piece of overlap where it is short."""
    total = sum(counts)
    target = math.ceil(total / max(1, math.ceil(total / budget)))
    groups: list[tuple[int, int]] = []
    first = 0
    while first < len(counts):
        overlap = bool(groups) and counts[first - 1] <= budget * OVERLAP_SHARE
        begin = first - 1 if overlap and counts[first - 1] + counts[first] <= budget else first
        used = sum(counts[begin : first + 1])
        fresh = counts[first]
        last = first
        while last + 1 < len(counts) and fresh < target and used + counts[last + 1] <= budget:
            last += 1
            used += counts[last]
            fresh += counts[last]
        groups.append((begin, last))
        first = last + 1
    return groups
