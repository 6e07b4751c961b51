"""Applies a rule to the word of the question, as far as that can be done without understanding.

Only what stands in the rule is said: that it names the word, that it has an example that looks like
it, that a part of a word in its title is in the word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from explanation_service.explanations.question_words import (
    GappedWord,
    gapped_word,
    words_in_question,
)
from explanation_service.explanations.records import ExplanationRequest
from explanation_service.explanations.sentences import first_sentences
from explanation_service.retrieval.lexical import stem, words_of

# "пре-", "-лаг-", "-тся" in the title of a rule.
_MORPHEME = re.compile(r"(?<![\w-])(-?)([а-яё]{2,7})(-?)(?![\w-])", re.I)
# A sentence that warns says the contrary of what its words look like: it is quoted as a whole.
_WARNING = re.compile(r"ошиб|неправильно|нельзя|не путайте|не пишите|вместо", re.I)
# A list of examples: a label, or words with dashes between them.
_LIST = re.compile(r":\s|\w\s[—–]\s\w")
_LABEL = re.compile(r"^[^:]{0,60}:\s+")
# What a reader still takes in at a glance.
_QUOTE_LENGTH = 200
# Letters that two stems have in common at their start, and their share of the longer one.
_COMMON_LETTERS = 3
_COMMON_SHARE = 0.6


def apply_rule(request: ExplanationRequest, title: str, rule: Sequence[str]) -> str:
    """One to three Russian sentences, or "" when the rule, sentence by sentence, says nothing about
    the word."""
    words = words_in_question(request)
    gapped = gapped_word(request)
    parts = [_filled(gapped), _mention(words, gapped, rule), _part_of_word(words, title)]
    return " ".join(part for part in parts if part)


def _filled(gapped: GappedWord | None) -> str:
    if gapped is None or gapped.letters is None:
        return ""
    what = "буква" if len(gapped.letters) == 1 else "буквы"
    verb = "пропущена" if len(gapped.letters) == 1 else "пропущены"
    return f"В «{gapped.written}» {verb} {what} «{gapped.letters}»: «{gapped.filled}»."


def _mention(words: list[str], gapped: GappedWord | None, rule: Sequence[str]) -> str:
    for word in words:
        if found := _fragment(rule, _of_stem(stem(_folded(word)))):
            if len(words_of(found)) == 1:
                return f"Среди примеров правила есть «{found}»."
            return f"Про «{word}» в правиле сказано: «{found}»."
    if gapped is not None and not words and (found := _fragment(rule, gapped.matches)):
        return f"Слово с таким пропуском есть в правиле: «{found}»."
    for word in words:
        if found := _fragment(rule, _like_stem(stem(_folded(word)))):
            return f"Похожий на «{word}» пример из правила: {found}."
    return ""


def _fragment(rule: Sequence[str], wanted: Callable[[str], bool]) -> str:
    """The example, or the whole sentence, in which a word is what is wanted."""
    for sentence in rule:
        if not any(wanted(word) for word in words_of(sentence)):
            continue
        if _LIST.search(sentence) and not _WARNING.search(sentence):
            for example in re.split(r"[,;]\s+", _LABEL.sub("", sentence).rstrip(".")):
                if any(wanted(word) for word in words_of(example)):
                    return first_sentences(example, _QUOTE_LENGTH).rstrip(".")
        return first_sentences(sentence, _QUOTE_LENGTH).rstrip(".")
    return ""


def _part_of_word(words: list[str], title: str) -> str:
    """Longest first: «-скак-» says more than «-ск-»."""
    marks = sorted(_MORPHEME.findall(title.lower()), key=lambda mark: -len(mark[1]))
    for word in words:
        for left, letters, right in marks:
            prefix = right and not left and word.startswith(letters)
            ending = left and not right and word.endswith(letters)
            inside = left and right and letters in word
            if (prefix or ending or inside) and word != letters:
                return f"В слове «{word}» видно {left}{letters}{right}, о чём и говорит правило."
    return ""


def _of_stem(root: str) -> Callable[[str], bool]:
    return lambda word: stem(word) == root


def _like_stem(root: str) -> Callable[[str], bool]:
    return lambda word: _alike(stem(word), root)


def _alike(one: str, other: str) -> bool:
    common = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        common += 1
    return common >= max(_COMMON_LETTERS, _COMMON_SHARE * max(len(one), len(other)))


def _folded(word: str) -> str:
    return word.lower().replace("ё", "е")
