"""Says in what a pupil's answer differs from the right one, where that can be said for sure."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_PUNCTUATION = re.compile(r"[^\w\s-]")
_GAPS = re.compile(r"[\s-]+")
# More differing places than this and the two are different words, not one word misspelt.
_MAX_PLACES = 2


# A capital inside of a word marks its stress ("звонИт").
_STRESSED = re.compile(r"\B[АЕЁИОУЫЭЮЯ]")


def same_answer(one: str, other: str) -> bool:
    """Whether two answers are equal but for case, "ё", spaces and a final full stop. A stress that
    both of them mark has to be the same."""
    return _folded(one) == _folded(other) and not _stressed_differently(one, other)


def describe_difference(given: str, right: str) -> str | None:
    """One Russian sentence on what tells `given` from `right`; None where only a reader can say."""
    stressed, wanted = given, right
    given, right = _folded(given), _folded(right)
    if given == right:
        if _stressed_differently(stressed, wanted):
            return f"Различие в ударении: правильно «{wanted.strip()}»."
        return None
    if _words(given) == _words(right):
        return "Слова в ответах одни и те же, различаются только знаки препинания."
    if _GAPS.sub("", given) == _GAPS.sub("", right):
        return f"Буквы одни и те же: различие в том, что правильно писать {_joining(right)}."
    if re.search(r"\W|\d|_", given + right):
        return None
    return _letters(given, right)


def _stressed_differently(one: str, other: str) -> bool:
    marks, others = (
        [match.start() for match in _STRESSED.finditer(text.strip())] for text in (one, other)
    )
    return bool(marks and others and marks != others)


def _folded(text: str) -> str:
    return " ".join(text.lower().replace("ё", "е").split()).rstrip(". ")


def _words(text: str) -> list[str]:
    return _PUNCTUATION.sub(" ", text).split()


def _joining(right: str) -> str:
    if "-" in right:
        return "через дефис"
    return "раздельно" if " " in right else "слитно"


def _letters(given: str, right: str) -> str | None:
    matcher = SequenceMatcher(None, given, right, autojunk=False)
    places = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    kept = sum(block.size for block in matcher.get_matching_blocks())
    if len(places) > _MAX_PLACES or 2 * kept < len(right):
        return None
    parts = []
    for kind, start, end, right_start, right_end in places:
        wrong, wanted = given[start:end], right[right_start:right_end]
        if kind == "replace":
            parts.append(f"вместо «{wrong}» нужно «{wanted}»")
        elif kind == "delete":
            parts.append(f"лишнее «{wrong}»")
        else:
            parts.append(f"пропущено «{wanted}»")
    return f"Различие в написании: {'; '.join(parts)}."
