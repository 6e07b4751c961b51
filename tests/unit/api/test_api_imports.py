"""No ML library, nothing of the worker, and no client for writing vectors, is in the API's
process."""

from __future__ import annotations

import json
import subprocess
import sys

FORBIDDEN = {
    "torch",
    "transformers",
    "sentence_transformers",
    "tokenizers",
    "scipy",
    "sklearn",
    "onnxruntime",
    "numpy",
    "grpc",
    "google.protobuf",
    "qdrant_client",
    # The SDK is looked for by redis itself, and taken where it is installed.
    "opentelemetry.exporter",
    "explanation_service.telemetry.span_export",
}
PROGRAM = """
import json, sys
import explanation_service.api.server
import explanation_service.cli.main
import explanation_service.cli.doctor
from explanation_service.settings import load_settings
explanation_service.api.app.create_app(load_settings())
print(json.dumps(sorted(sys.modules)))
"""


def test_what_the_api_imports():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, check=True, timeout=60
    )
    modules = set(json.loads(done.stdout))
    assert "explanation_service.api.app" in modules
    assert modules.isdisjoint(FORBIDDEN)
    assert not [name for name in modules if name.startswith("explanation_service.indexing")]
