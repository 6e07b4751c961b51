"""Under which keys an answer of the model is kept.

An answer belongs to the question, the pupil's and the right answer, and the passages with their
versions and texts: nothing that was said about a rule is found again when it was edited, past this
service too, where the version may stay. What else it depends on (the prompt's version, the model,
its parameters) is its stamp: with another stamp it is old, and stands in only where the model gives
none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from explanation_service.explanations.prompt import PROMPT_VERSION
from explanation_service.explanations.records import ExplanationRequest
from explanation_service.retrieval.normalise import normalise_query
from explanation_service.stores.explanation_answers import AnswerKeys
from explanation_service.stores.records import Passage


def answer_keys(
    request: ExplanationRequest, passages: Sequence[Passage], system: str, fingerprint: str
) -> AnswerKeys:
    """`system`: the prompt's first part; `fingerprint`: the model's.

    The order of the passages is left out: it may change with the mode of the search.
    """
    answer = _digest(
        normalise_query(request.question),
        normalise_query(request.student_answer or ""),
        normalise_query(request.correct_answer or ""),
        sorted(
            (one.template_id, one.chunk_index, one.version, one.title, one.text) for one in passages
        ),
    )
    stamp = _digest(PROMPT_VERSION, system, fingerprint)
    return AnswerKeys(
        answer=answer, stamp=stamp, flight=_digest(answer, stamp), model=_digest(fingerprint)
    )


def _digest(*parts: Any) -> str:
    """32 hexadecimal digits; JSON keeps parts apart whatever they hold."""
    text = json.dumps(parts, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
