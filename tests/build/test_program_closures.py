"""What the programs would carry, read from Bazel's target graph."""

from __future__ import annotations

import re
from pathlib import Path

# "No ML in the API" (docs/architecture.md) means none of these.
ML_DISTRIBUTIONS = {
    "fasttext-numpy2-wheel",
    "navec",
    "onnxruntime",
    "safetensors",
    "scikit-learn",
    "scipy",
    "sentence-transformers",
    "tokenizers",
    "torch",
    "transformers",
}

# Qdrant's own client and what it brings are for who writes vectors: 70 MB that reading can do
# without.
WRITING_DISTRIBUTIONS = {"grpcio", "numpy", "protobuf", "qdrant-client"}


def distributions(program: str) -> set[str]:
    lines = Path(__file__).with_name(f"{program}_closure.txt").read_text().splitlines()
    return {match[1] for line in lines if (match := re.search(r"pypi_\w+?__([\w.-]+)/", line))}


def test_the_api_carries_no_ml_distribution() -> None:
    carried = distributions("api")
    assert {"fastapi", "httpx", "redis"} <= carried
    assert not carried & ML_DISTRIBUTIONS


def test_the_api_carries_nothing_that_only_writing_needs() -> None:
    assert not distributions("api") & WRITING_DISTRIBUTIONS
    assert distributions("worker") >= WRITING_DISTRIBUTIONS


def test_no_program_carries_the_export_of_traces() -> None:
    for program in ("api", "worker"):
        exporting = {name for name in distributions(program) if name.startswith("opentelemetry")}
        # Its API alone comes with FastAPI.
        assert exporting <= {"opentelemetry-api"}, program


def test_the_worker_carries_the_ml_distributions() -> None:
    # The same reading of the graph finds them where they must be: the test above can fail.
    assert {"torch", "sentence-transformers", "tokenizers"} <= distributions("worker")


def test_no_program_carries_development_tools() -> None:
    for program in ("api", "worker"):
        assert not distributions(program) & {
            "pytest",
            "mypy",
            "testcontainers",
            "secantusdb",
            "pip",
        }
