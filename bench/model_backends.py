"""What does each backend of the embedding model find, and how fast is it?

    python -m bench.model_backends --torch DIR --onnx DIR [--static FILE] [--rounds 3]

The dense lane alone: every question of both sets of the retrieval bench against the sample rule
book, each rule one passage (title, line break, body), cut where the model cuts. For each backend:
hit@1, the share of questions with the same first hit as torch in float32, the least cosine of a
text's vector to torch's, and texts a second (the rules in length-sorted batches of 512 tokens, the
median of the rounds, the backends in turns). Exit code 1 when torch in bfloat16 or ONNX in 32 bits
is not torch in 32 bits: another revision, or a cosine below 0.9999.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.retrieval_questions import QUESTION_SETS, Question, read_questions
from explanation_service.content.importer import read_jsonl
from explanation_service.content.sample import sample_rule_book_path
from explanation_service.indexing.backends.onnx import OnnxEncoder, Precision
from explanation_service.indexing.backends.static import StaticEncoder
from explanation_service.indexing.backends.torch import TorchEncoder
from explanation_service.indexing.batching import plan_batches
from explanation_service.indexing.encoder import PassageEncoder, Tokens, Vectors
from explanation_service.indexing.model_directory import ModelSource
from explanation_service.settings import load_settings

LEAST_COSINE = 0.9999


@dataclass
class Backend:
    """A loaded model with what it gave; unit vectors, one row a text."""

    name: str
    encoder: PassageEncoder
    questions: Vectors = field(init=False)
    passages: Vectors = field(init=False)
    seconds: list[float] = field(default_factory=list)

    def embed(self, questions: Sequence[str], passages: Sequence[str]) -> None:
        """Once, for the vectors."""
        self.questions = self._embed(self.encoder.query_ids(questions))
        self.passages = self._embed(self.encoder.passage_ids(passages))

    def time(self, passages: Sequence[str]) -> None:
        """One more measurement."""
        started = time.perf_counter()
        self._embed(self.encoder.passage_ids(passages))
        self.seconds.append(time.perf_counter() - started)

    def ranking(self) -> npt.NDArray[np.intp]:
        """Passage numbers, best first, a row for each question."""
        return np.argsort(-(self.questions @ self.passages.T), axis=1, kind="stable")

    def _embed(self, ids: Sequence[Tokens]) -> Vectors:
        vectors = np.zeros((len(ids), self.encoder.info.dimension), dtype=np.float32)
        most = load_settings().embedding_max_batch_tokens
        for batch in plan_batches([len(row) for row in ids], most):
            # As passages are embedded in the worker: with places for queries in between.
            rows = [ids[at] for at in batch.positions]
            vectors[list(batch.positions)] = self.encoder.embed(rows, _nothing)
        return vectors


def _nothing() -> None:
    pass


def backends(options: argparse.Namespace) -> list[Backend]:
    """Load them all; torch in float32 first, for the others are compared with it."""
    torch_source = ModelSource("torch", options.torch)
    makers: list[tuple[str, Callable[[], PassageEncoder]]] = [
        ("torch", lambda: TorchEncoder(torch_source, "float32")),
        ("torch-bf16", lambda: TorchEncoder(torch_source, "bfloat16")),
    ]
    for precision in Precision:
        source = ModelSource(precision.value, options.onnx)
        makers.append((precision.value, lambda s=source, p=precision: OnnxEncoder(s, p)))
    if options.static:
        makers.append(("static", lambda: StaticEncoder(options.static)))
    return [Backend(name, make()) for name, make in makers]


def least_cosine(one: Backend, other: Backend) -> float | None:
    """Over all questions and passages; None where the vectors are of different lengths."""
    if one.questions.shape != other.questions.shape:
        return None
    pairs = ((one.questions, other.questions), (one.passages, other.passages))
    return float(min(np.sum(a * b, axis=1).min() for a, b in pairs))


def is_the_same(torch: Backend, other: Backend) -> bool:
    """Whether vectors of both may stand in one collection."""
    cosine = least_cosine(torch, other) or 0.0
    return cosine >= LEAST_COSINE and torch.encoder.info.revision == other.encoder.info.revision


def line(
    backend: Backend, torch: Backend, questions: Sequence[Question], ids: Sequence[str]
) -> str:
    """One row of the table."""
    ranking = backend.ranking()
    first = [ids[row[0]] for row in ranking]
    hits = sum(q.rank_in([found]) == 1 for q, found in zip(questions, first, strict=True))
    same = float(np.mean(ranking[:, 0] == torch.ranking()[:, 0]))
    cosine = least_cosine(backend, torch)
    speed = len(ids) / statistics.median(backend.seconds)
    return (
        f"{backend.name:<10} {hits / len(questions):>6.2f} {same:>15.2f} "
        f"{'-' if cosine is None else format(cosine, '.5f'):>12} {speed:>9.1f}  "
        f"{backend.encoder.info.revision}"
    )


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--torch", type=Path, required=True, help="the model's directory")
    parser.add_argument("--onnx", type=Path, required=True, help="the exported model's directory")
    parser.add_argument("--static", type=Path, help="a fastText or navec file")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    questions = [one for path in QUESTION_SETS for one in read_questions(path)]
    rules = dict(read_jsonl(sample_rule_book_path()))
    texts = [f"{rule.title}\n{rule.body}" for rule in rules.values()]
    loaded = backends(options)
    for backend in loaded:
        backend.embed([question.text for question in questions], texts)
    for _ in range(options.rounds):
        for backend in loaded:
            backend.time(texts)
    print(f"{len(questions)} questions, {len(texts)} rules")
    print("backend     hit@1  same first hit least cosine  texts/s  revision")
    for backend in loaded:
        print(line(backend, loaded[0], questions, list(rules)))
    return 0 if all(is_the_same(loaded[0], other) for other in loaded[1:3]) else 1


if __name__ == "__main__":
    sys.exit(main())
