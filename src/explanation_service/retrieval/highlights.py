"""Where a passage says what the question says: word by word, as the lexical lane sees words."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

from explanation_service.retrieval.lexical import MAX_QUERY_WORDS, stem, words_of

# As `lexical.words_of` has words, but in the text as it stands: letters may carry marks of their
# own ("й" as two characters, a stress mark), which are part of the word that is shown.
_MARKS = "\u0300-\u036f"
_WORD = re.compile(
    rf"[а-яёa-z0-9][а-яёa-z0-9{_MARKS}]*(?:-[а-яёa-z0-9][а-яёa-z0-9{_MARKS}]*)*", re.IGNORECASE
)
# "в", "с" and "к" are in every sentence.
_SHORTEST_WORD = 2
# Stems so much alike count as one word: "каров" as "коров", "корен" as "корн". Opposites are alike,
# too ("гласн" and "согласн", "проверяем" and "непроверяем"), but begin otherwise, and who types
# wrongly seldom does so in the first letter.
_ALIKE = 0.8
_SHORTEST_ALIKE = 4


class Highlight(NamedTuple):
    """A word of the text: from the character `start` up to, not including, `end`. Counted in
    Unicode code points, from 0."""

    start: int
    end: int


class Highlighter:
    """The words of one question, to be found in any number of texts."""

    def __init__(self, query: str) -> None:
        words = words_of(query)[:MAX_QUERY_WORDS]
        self._stems = {part for word in words for part in _stems(word)}
        # By first letter: stems that begin otherwise are never alike.
        self._long: dict[str, list[str]] = {}
        for one in self._stems:
            if len(one) >= _SHORTEST_ALIKE:
                self._long.setdefault(one[0], []).append(one)
        self._known: dict[str, bool] = {}

    def find(self, text: str) -> list[Highlight]:
        """The words of `text` that the question has, in another form or misspelt too; in their
        order, none overlaps another."""
        if not self._stems:
            return []
        known = self._known
        found = []
        for match in _WORD.finditer(text):
            shown = match[0]
            if shown not in known:
                known[shown] = self._matches(shown)
            if known[shown]:
                found.append(Highlight(*match.span()))
        return found

    def _matches(self, shown: str) -> bool:
        for one in _stems_of_shown(shown):
            if one in self._stems:
                return True
            if len(one) >= _SHORTEST_ALIKE:
                for other in self._long.get(one[0], ()):
                    if _alike(one, other):
                        return True
        return False


def _stems(word: str) -> list[str]:
    """The word's stem, and those of a compound's parts; none of what is too short to be a word."""
    parts = word.split("-") if "-" in word else []
    return [stem(one) for one in (word, *parts) if len(one) >= _SHORTEST_WORD]


@lru_cache(maxsize=16_384)
def _stems_of_shown(shown: str) -> tuple[str, ...]:
    """The stems of a word as it stands in a text. The cache holds a rule book's vocabulary."""
    return tuple(part for word in words_of(shown) for part in _stems(word))


def _alike(one: str, other: str) -> bool:
    # What the ratio is at most, for the matcher is dear.
    if 2 * min(len(one), len(other)) < _ALIKE * (len(one) + len(other)):
        return False
    return _much_in_common(one, other)


# 0.3 KB a pair.
@lru_cache(maxsize=8_192)
def _much_in_common(one: str, other: str) -> bool:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE
