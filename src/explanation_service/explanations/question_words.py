"""The words that a task is about: those in quotation marks, those with a gap, the right answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from explanation_service.explanations.records import ExplanationRequest

# "в..дяной", "в…дяной", "в_дяной", "в*дяной", "н(е/и)кто"; more than three letters are no gap.
_GAP = r"\.{2,3}|…|_{1,3}|\*|\([а-яё/|, ]{1,9}\)"
_GAPPED = re.compile(rf"(?<![\w.])([а-яё-]*)({_GAP})([а-яё-]*)(?!\w)", re.I)
_QUOTED = re.compile(r"[«\"“„']([^«»\"“”„']{2,60})[»\"”“']")
_WORD = re.compile(r"[а-яё]+(?:-[а-яё]+)*", re.I)
_LETTERS = re.compile(r"[а-яё]{1,3}", re.I)
# A longer answer is a sentence: its words are not what the task is about.
_MOST_WORDS = 3
_SHORTEST = 3


@dataclass(frozen=True, slots=True)
class GappedWord:
    """A word with a gap: `written` as in the task; `filled` with the letters of the right answer,
    in capitals as school books mark them, where these are known."""

    written: str
    before: str
    after: str
    letters: str | None

    @property
    def word(self) -> str | None:
        """The whole word in small letters."""
        return None if self.letters is None else f"{self.before}{self.letters}{self.after}".lower()

    @property
    def filled(self) -> str | None:
        if self.letters is None:
            return None
        return f"{self.before.lower()}{self.letters.upper()}{self.after.lower()}"

    def matches(self, word: str) -> bool:
        """Whether the gap stands for one to three letters of this word."""
        before, after = self.before.lower(), self.after.lower()
        gap = len(word) - len(before) - len(after)
        return 1 <= gap <= _MOST_WORDS and word.startswith(before) and word.endswith(after)


def gapped_word(request: ExplanationRequest) -> GappedWord | None:
    """The first word with a gap in the question."""
    for match in _GAPPED.finditer(request.question):
        before, gap, after = match.groups()
        # At least as much is left of it that it can be told from others; "и..." is a pause.
        if len(before) + len(after) < _SHORTEST or (not after and gap in ("...", "…", "*")):
            continue
        word = GappedWord(match[0], before, after, None)
        return GappedWord(match[0], before, after, _letters(word, request.correct_answer))
    return None


def words_in_question(request: ExplanationRequest) -> list[str]:
    """Words in small letters, the likeliest first, each once; often none."""
    gapped = gapped_word(request)
    found = [gapped.word] if gapped and gapped.word else []
    texts = [request.correct_answer or "", *_QUOTED.findall(request.question)]
    for text in texts:
        words = _WORD.findall(text)
        if len(words) <= _MOST_WORDS:
            found += [word.lower() for word in words if len(word) >= _SHORTEST]
    return list(dict.fromkeys(found))


def _letters(gapped: GappedWord, answer: str | None) -> str | None:
    answer = (answer or "").strip(" .«»\"'").lower()
    if _LETTERS.fullmatch(answer) and not gapped.matches(answer):
        return answer
    if _WORD.fullmatch(answer) and gapped.matches(answer):
        return answer[len(gapped.before) : len(answer) - len(gapped.after)]
    return None
