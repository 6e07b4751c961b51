"""Composes an explanation from the passages alone, for when no language model phrases it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from explanation_service.explanations.answer_difference import describe_difference, same_answer
from explanation_service.explanations.records import ExplanationRequest
from explanation_service.explanations.rule_application import apply_rule
from explanation_service.explanations.sentences import first_sentences, split_sentences
from explanation_service.stores.records import Passage

ORIGIN = "Объяснение составлено по сборнику правил, без участия языковой модели."
UNFINISHED = "Языковая модель не закончила; дальше — по сборнику правил, без её участия."
NOTHING_FOUND = "В сборнике правил не нашлось правила, которое относится к этому вопросу."

# Characters: about four sentences of a rule, which a pupil still reads to the end.
_STATEMENT_LENGTH = 600
_EXAMPLE_LENGTH = 240
_MAX_EXAMPLES = 3
_MAX_RELATED = 2
# An answer longer than this is an essay: repeating it would bury the rule.
_QUOTED_LENGTH = 200

# Also the lines "Правильно:" and "Неправильно:" that the importer of mawo-grammar writes.
_EXAMPLE = re.compile(r"\b(например|пример[ыа]?|сравните|вот как)\b|^(не)?правильно:", re.I)
_MISTAKE = re.compile(r"\bтипичн\w+ ошибк|\bчаст\w+ ошибк", re.I)
_EXAMPLE_LABEL = re.compile(r"^\W*(пример[ыа]?|например|вот как[^:]{0,40})\s*[:—–-]\s*", re.I)
# The words in which pupils ask for a rule, one line: written for the search, not for the reader.
_ASKED_ABOUT = re.compile(r"^О чём спрашивают:.*$", re.M)
_HEADING_MARK = re.compile(r"^[#>*•\s–—-]+|\*\*|__")


def compose(request: ExplanationRequest, passages: Sequence[Passage]) -> str:
    """The explanation in Russian: paragraphs with a blank line between them, in plain text."""
    return "\n\n".join([*_paragraphs(request, passages), ORIGIN])


def compose_rest(request: ExplanationRequest, passages: Sequence[Passage]) -> str:
    """What follows a text of the language model that breaks off."""
    return "…\n\n" + "\n\n".join([UNFINISHED, *_paragraphs(request, passages)])


def _paragraphs(request: ExplanationRequest, passages: Sequence[Passage]) -> list[str]:
    answers = _relate_answers(request)
    if not passages:
        return [part for part in (NOTHING_FOUND, answers) if part]
    best, *others = passages
    # A search always has a nearest rule; only the caller knows which one it is.
    belongs = "относится" if best.template_id == request.template_id else "ближе всего"
    text = _without_questions(_plain(best.text))
    sentences = split_sentences(text)
    statement = _statement(best.title, sentences)
    examples = _examples(sentences, statement)
    parts = [
        f"К этому вопросу {belongs} правило «{_title(best)}».",
        statement,
        answers,
        apply_rule(request, best.title, sentences),
        "Примеры из правила:\n" + "\n".join(f"— {each}" for each in examples) if examples else "",
        _mistake(sentences, statement),
        _related(others),
    ]
    return [part for part in parts if part]


def _without_questions(text: str) -> str:
    # A passage of nothing else still says more than no passage.
    return _ASKED_ABOUT.sub("", text).strip() or text


def _statement(title: str, sentences: Sequence[str]) -> str:
    # A chunk can begin with the title of its template; it has been named already.
    if len(sentences) > 1 and sentences[0].rstrip(".").lower() == title.rstrip(".").lower():
        sentences = sentences[1:]
    illustration = (_EXAMPLE, _MISTAKE)
    rule = [each for each in sentences if not any(kind.search(each) for kind in illustration)]
    return first_sentences("\n".join(_ended(each) for each in rule or sentences), _STATEMENT_LENGTH)


def _ended(sentence: str) -> str:
    """A line of a list need not end with a full stop, a sentence of a paragraph does."""
    return sentence if re.search(r"\W$", sentence) else f"{sentence}."


def _examples(sentences: Sequence[str], statement: str) -> list[str]:
    examples = []
    for sentence in sentences:
        if _EXAMPLE.search(sentence) and sentence not in statement:
            example = _EXAMPLE_LABEL.sub("", sentence)
            # "Примеры:" alone on its line says nothing without the lines below.
            if len(example) > 3 and not _EXAMPLE.fullmatch(example.strip(" :.")):
                examples.append(first_sentences(example, _EXAMPLE_LENGTH))
    return examples[:_MAX_EXAMPLES]


def _mistake(sentences: Sequence[str], statement: str) -> str:
    """The sentence in which the rule warns of a mistake."""
    for sentence in sentences:
        if _MISTAKE.search(sentence) and sentence not in statement:
            return first_sentences(sentence, _STATEMENT_LENGTH)
    return ""


def _relate_answers(request: ExplanationRequest) -> str:
    given, right = _quoted(request.student_answer), _quoted(request.correct_answer)
    if request.student_answer and request.correct_answer:
        if same_answer(request.student_answer, request.correct_answer):
            return f"Дан ответ {given}; он совпадает с правильным."
        difference = describe_difference(request.student_answer, request.correct_answer)
        compared = f"Дан ответ {given}, а правильный ответ — {right}."
        return f"{compared} {difference}" if difference else f"{compared} Сравните их с правилом."
    if request.student_answer:
        return f"Дан ответ {given}. Проверьте его по этому правилу."
    if request.correct_answer:
        return f"Правильный ответ — {right}."
    return ""


def _related(others: Sequence[Passage]) -> str:
    titles = list(dict.fromkeys(f"«{_title(passage)}»" for passage in others))[:_MAX_RELATED]
    return f"Близкие правила: {', '.join(titles)}." if titles else ""


def _title(passage: Passage) -> str:
    return passage.title.strip().rstrip(".")


def _quoted(answer: str | None) -> str:
    text = " ".join((answer or "").split())
    return f"«{text if len(text) <= _QUOTED_LENGTH else text[: _QUOTED_LENGTH - 1] + '…'}»"


def _plain(text: str) -> str:
    """The text without the marks of Markdown that editors use for headings, lists and bold."""
    return "\n".join(_HEADING_MARK.sub("", line).strip() for line in text.splitlines())
