"""What the real model gives in bfloat16, beside float32."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

from explanation_service.indexing.backends.torch import BFLOAT16_INSTRUCTIONS, TorchEncoder, fastest
from explanation_service.indexing.model_directory import ModelSource

TEXTS = [
    "не",
    "Частица «не» с глаголами пишется раздельно.",
    "Н и НН в суффиксах прилагательных: деревянный, серебряный, ветреный. " * 20,
]


def test_bfloat16_gives_the_vectors_of_float32_and_shares_their_revision(
    model_directory: Path,
) -> None:
    source = ModelSource(model_directory.name, model_directory)
    full, half = TorchEncoder(source, "float32"), TorchEncoder(source, "bfloat16")
    assert half.info == full.info
    ids = full.passage_ids(TEXTS)
    expected, got = full.embed(ids), half.embed(ids)
    assert got.dtype == np.float32 and got.shape == expected.shape
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-5)
    assert (got * expected).sum(axis=1).min() >= 0.9999
    assert not np.array_equal(got, expected)


@pytest.mark.parametrize("has", [None, *BFLOAT16_INSTRUCTIONS])
def test_auto_follows_the_processor(has: str | None) -> None:
    capabilities = {"avx2": True, "avx512_bf16": False} | ({} if has is None else {has: True})
    torch = SimpleNamespace(cpu=SimpleNamespace(get_capabilities=lambda: capabilities))
    assert fastest(torch) == ("float32" if has is None else "bfloat16")


def test_auto_is_what_the_parameters_have(
    model_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ModelSource(model_directory.name, model_directory)
    for wanted in ({}, {"avx512_bf16": True}):
        monkeypatch.setattr("torch.cpu.get_capabilities", lambda wanted=wanted: wanted)
        encoder = TorchEncoder(source, "auto")
        assert encoder.precision == ("bfloat16" if wanted else "float32")
        types = {str(parameter.dtype) for parameter in encoder.model.parameters()}
        assert types == {f"torch.{encoder.precision}"}
