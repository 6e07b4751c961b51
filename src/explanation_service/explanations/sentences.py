"""Cuts Russian text into sentences, in plain Python."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A dot after these ends no sentence. Lower case, without the dot; "т.е." is met with its last part.
_ABBREVIATION = re.compile(
    r"см|ср|напр|т|е|д|п|др|пр|гл|сущ|прил|мн|ч|ед|л|рис|стр|г|в|н|э|рус|греч|лат|букв|устар"
)
# Possessive, and never begun inside a run of dots: the time stays linear in whatever was written.
_END = re.compile(
    r"(?<![.!?…])[.!?…]++[»\")\]]*+(?=\s++(?:[«\"(—–-]++\s*+)?[А-ЯЁA-Z0-9])|\n\s*+",
)
_LAST_WORD = re.compile(r"([А-Яа-яЁёA-Za-z]+)\.$")


def split_sentences(text: str) -> list[str]:
    """The sentences in order, stripped, none of them empty; a line break always ends one."""
    return list(_sentences(text))


def _sentences(text: str) -> Iterator[str]:
    start = 0
    for end in _END.finditer(text):
        candidate = text[start : end.end()]
        if not end.group().startswith("\n") and _ends_with_abbreviation(candidate):
            continue
        if sentence := candidate.strip():
            yield sentence
        start = end.end()
    if rest := text[start:].strip():
        yield rest


def first_sentences(text: str, max_characters: int) -> str:
    """As many of the first sentences as fit, at least one; a longer one is cut with "…"."""
    taken: list[str] = []
    length = 0
    # No further than it has to be: the text may be a whole template.
    for sentence in _sentences(text):
        if taken and length + 1 + len(sentence) > max_characters:
            break
        taken.append(sentence)
        length += 1 + len(sentence)
    joined = " ".join(taken)
    if len(joined) <= max_characters:
        return joined
    return joined[: max_characters - 1].rsplit(maxsplit=1)[0].rstrip(" ,;:—–-") + "…"


def _ends_with_abbreviation(candidate: str) -> bool:
    # The end alone: the pattern would try every letter of a long run.
    word = _LAST_WORD.search(candidate[-12:])
    if word is None:
        return False
    # A single capital is an initial ("А. С. Пушкин").
    single_capital = len(word[1]) == 1 and word[1].isupper()
    return single_capital or _ABBREVIATION.fullmatch(word[1].lower()) is not None


def split_pieces(text: str) -> list[str]:
    """Pieces of about a sentence that, put together, are the text again; for streaming."""
    return re.findall(r".+?(?:[.!?…]\s+|\n+|$)", text, re.S)
