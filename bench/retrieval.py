"""Does the search find the rule that answers a question?

    python -m bench.retrieval [--rule-book FILE] [--questions FILE ...] [--model DIR]
        [--qdrant-url URL] [--weights DENSE,LEXICAL] [--json] [--no-gate]

Indexes the rule book with the worker's own stages into a fresh collection, and asks every question
through the API's search in the modes lexical, dense and hybrid, and, for comparison, with both
lanes fused by reciprocal rank in Qdrant (rrf). The times are those of the search, the query's
encoding included. Without --questions both sets are asked, and there is a table for each and one
for both together. Exit code 1 when hybrid finds the right rule first for less than 85% of all
questions, or for less than the better of its two lanes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from bench.embedded_stores import embedded_qdrant
from bench.retrieval_questions import QUESTION_SETS, Question, read_questions
from bench.retrieval_scores import DEPTH, Answer, Score, as_json, misses, score_slices, table
from bench.rule_book_index import Searchable, indexed
from explanation_service.content.sample import sample_rule_book_path
from explanation_service.retrieval.lexical import encode_query
from explanation_service.retrieval.search import Mode, SearchService
from explanation_service.settings import load_settings
from explanation_service.telemetry.logging import configure_logging

LEAST_HIT_AT_1 = 0.85
MODES: tuple[Mode, ...] = tuple(reversed(get_args(Mode)))
MODEL_VARIABLE = "EXPLANATION_TEST_MODEL"
TOGETHER = "together"


async def ask(
    service: SearchService, questions: Sequence[Question], modes: Sequence[Mode] = MODES
) -> list[Answer]:
    """Ask one question at a time. Raises RuntimeError if an answer is of another mode."""
    answers = []
    for mode in modes:
        # The first search of a mode pays for connections and caches.
        await service.search(questions[0].text, DEPTH, mode=mode)
        for question in questions:
            result = await service.search(question.text, DEPTH, mode=mode)
            if result.mode != mode:
                raise RuntimeError(f"asked for {mode}, was answered in mode {result.mode}")
            found = tuple(hit.template_id for hit in result.hits)
            answers.append(Answer(mode, question, found, result.timings_ms["total"]))
    return answers


async def ask_rank_fusion(found: Searchable, questions: Sequence[Question]) -> list[Answer]:
    """The same questions with both lanes fused by reciprocal rank in Qdrant, for comparison."""
    answers = []
    for question in questions:
        started = time.monotonic()
        vector = await found.vectors.get(question.text, found.revision, started)
        assert vector is not None
        words = encode_query(question.text)
        ids = await found.rank_fusion.search(vector.values, words, DEPTH)
        milliseconds = (time.monotonic() - started) * 1000
        answers.append(Answer("rrf", question, tuple(ids), milliseconds))
    return answers


def gate(scores: Sequence[Score]) -> list[str]:
    """What is wrong with the scores over all questions; nothing when they pass."""
    first = {one.mode: one.hit_at_1 for one in scores if one.slice == "all"}
    faults = []
    if first["hybrid"] < LEAST_HIT_AT_1:
        faults.append(f"hybrid hit@1 is {first['hybrid']:.2f}, below {LEAST_HIT_AT_1:.2f}")
    best = max(("lexical", "dense"), key=lambda lane: first[lane])
    if first["hybrid"] < first[best]:
        faults.append(f"hybrid hit@1 is {first['hybrid']:.2f}, {best} alone {first[best]:.2f}")
    return faults


async def run(options: argparse.Namespace, qdrant_url: str) -> list[Answer]:
    """Index and ask."""
    questions = [question for path in options.questions for question in read_questions(path)]
    async with indexed(options.rule_book, options.model, qdrant_url, options.weights) as found:
        return [*await ask(found.service, questions), *await ask_rank_fusion(found, questions)]


def by_set(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    """The answers of each set of questions, and last, when there are several, all together."""
    sets: dict[str, list[Answer]] = {}
    for answer in answers:
        sets.setdefault(answer.question.source, []).append(answer)
    return sets if len(sets) == 1 else sets | {TOGETHER: list(answers)}


def report(
    answers: Sequence[Answer], weights: tuple[float, float], as_one_object: bool
) -> list[str]:
    """Print each set's scores and the misses of hybrid; return the faults of all together."""
    scores = {name: score_slices(some) for name, some in by_set(answers).items()}
    faults = {name: gate(some) for name, some in scores.items()}
    wrong = misses(answers, "hybrid")
    if as_one_object:
        found: dict[str, Any] = {
            "weights": weights,
            "sets": {
                name: {"scores": as_json(scores[name]), "faults": faults[name]} for name in scores
            },
            "misses": list(wrong),
        }
        print(json.dumps(found, ensure_ascii=False))
    else:
        for name, some in scores.items():
            print(f"== {name}", *table(some), sep="\n")
            print(f"gate: {'; '.join(faults[name]) or 'passed'}\n")
        print(*wrong, sep="\n")
    return list(faults.values())[-1]


def _weights(text: str) -> tuple[float, float]:
    dense, lexical = (float(part) for part in text.split(","))
    return dense, lexical


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rule-book", type=Path, default=sample_rule_book_path())
    parser.add_argument(
        "--questions", type=Path, nargs="+", default=QUESTION_SETS, help="default: both sets"
    )
    parser.add_argument("--model", type=Path, default=os.environ.get(MODEL_VARIABLE) or None)
    parser.add_argument("--qdrant-url", help="else the embedded one is started")
    parser.add_argument(
        "--weights",
        type=_weights,
        default=load_settings().search_weights,
        metavar="DENSE,LEXICAL",
        help="weights of the lanes in the fusion (default: the service's own, %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="one object instead of lines")
    parser.add_argument("--no-gate", action="store_true", help="exit code 0 whatever is found")
    options = parser.parse_args(arguments)
    if options.model is None:
        parser.error(f"give --model or set {MODEL_VARIABLE}")
    configure_logging("WARNING", "bench")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        url = options.qdrant_url or stack.enter_context(embedded_qdrant(folder))
        answers = asyncio.run(run(options, url))
    faults = report(answers, options.weights, options.json)
    return 1 if faults and not options.no_gate else 0


if __name__ == "__main__":
    sys.exit(main())
