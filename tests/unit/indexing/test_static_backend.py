"""Static vectors from files that the tests make themselves, with the formats' own writers."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from explanation_service.indexing.backends.static import MAX_WORDS, StaticEncoder
from explanation_service.indexing.chunker import Chunker, normalise_body
from explanation_service.indexing.encoder import MAX_TEXT_CHARACTERS
from explanation_service.indexing.model_directory import ModelUnusable

fasttext = pytest.importorskip("fasttext")
navec = pytest.importorskip("navec")

LINES = [
    "частица не с глаголами пишется раздельно",
    "мягкий знак пишется в инфинитиве глагола",
    "тире стоит между подлежащим и сказуемым",
    "еж и елка пишутся через букву е",
]


@pytest.fixture(scope="module")
def fasttext_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fasttext")
    (folder / "lines.txt").write_text("\n".join(LINES * 25), encoding="utf-8")
    # Each thread sets one tenth of the matrix: with fewer the rest is what lay in the memory.
    model = fasttext.train_unsupervised(
        str(folder / "lines.txt"), dim=12, minCount=1, bucket=500, epoch=2, thread=12, verbose=0
    )
    # Not .bin: the kind is told by the content.
    model.save_model(str(folder / "vectors"))
    return folder / "vectors"


@pytest.fixture(scope="module")
def navec_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four words in two dimensions, each a pair of codes."""
    from navec.meta import Meta
    from navec.navec import Navec
    from navec.pq import PQ
    from navec.vocab import Vocab

    words = ["тире", "знак", "ежик", "по-моему", "<unk>", "<pad>"]
    codes = np.array([[[0.0], [3.0]], [[0.0], [4.0]]], dtype=np.float32)
    indexes = np.array([[1, 0], [0, 1], [1, 1], [1, 1], [1, 1], [0, 0]], dtype=np.uint8)
    file = tmp_path_factory.mktemp("navec") / "vectors"
    vectors = PQ(len(words), 2, 2, 2, indexes, codes)
    Navec(Meta("tiny"), Vocab(words, [1] * len(words)), vectors).dump(str(file))
    return file


def embed(encoder: StaticEncoder, *texts: str) -> np.ndarray:
    return encoder.embed(encoder.passage_ids(texts))


def test_a_text_is_the_normalised_mean_of_its_known_words(navec_file: Path) -> None:
    encoder = StaticEncoder(navec_file)
    assert encoder.info.dimension == 3
    vectors = embed(encoder, "Тире", "знак!", "тире, знак", "Тире Ъ неизвестно", "Ёжик по-моему")
    half = 0.5**0.5
    expected = [[1, 0, 0], [0, 1, 0], [half, half, 0], [1, 0, 0], [0.6, 0.8, 0]]
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_a_text_without_known_words_is_like_no_other(navec_file: Path) -> None:
    encoder = StaticEncoder(navec_file)
    vectors = embed(encoder, "тире", "!!!", "", "неизвестно")
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    np.testing.assert_allclose(vectors @ vectors[0], [1, 0, 0, 0])


def test_questions_and_passages_are_embedded_alike(fasttext_file: Path) -> None:
    encoder = StaticEncoder(fasttext_file)
    assert encoder.query_ids(LINES) == encoder.passage_ids(LINES)
    vectors = embed(encoder, *LINES)
    assert vectors.shape == (len(LINES), 13)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_fasttext_puts_unknown_words_together_from_subwords(fasttext_file: Path) -> None:
    library = fasttext.load_model(str(fasttext_file))
    assert library.get_word_id("глаголом") == -1 and library.get_word_id("глаголами") >= 0
    formed, nothing = embed(StaticEncoder(fasttext_file), "Глаголом", "?!")
    vector = library.get_word_vector("глаголом")
    np.testing.assert_allclose(formed[:-1], vector / np.linalg.norm(vector), atol=1e-5)
    assert formed[-1] == 0 and nothing[-1] == 1


def test_the_chunker_counts_words(fasttext_file: Path) -> None:
    encoder = StaticEncoder(fasttext_file)
    body = normalise_body(" ".join(f"Слово за словом идёт {n}." for n in range(200)))
    chunks = Chunker(encoder.token_spans, 64, len(encoder.passage_ids([""])[0])).split("т", body)
    assert len(chunks) > 10
    assert max(len(encoder.passage_ids([chunk.embedded_text])[0]) for chunk in chunks) <= 64


def test_long_texts_are_cut(navec_file: Path) -> None:
    encoder = StaticEncoder(navec_file)
    words, letters = encoder.passage_ids(["знак " * 600, "я" * (MAX_TEXT_CHARACTERS + 5)])
    assert len(words) == MAX_WORDS
    assert len(letters[0]) == MAX_TEXT_CHARACTERS


def test_the_revision_is_that_of_the_content(
    navec_file: Path, fasttext_file: Path, tmp_path: Path
) -> None:
    renamed = tmp_path / "renamed.bin"
    renamed.write_bytes(navec_file.read_bytes())
    first, second = StaticEncoder(navec_file).info, StaticEncoder(renamed).info
    assert first.revision == second.revision and second.name == "renamed.bin"
    assert StaticEncoder(fasttext_file).info.revision != first.revision


def test_neither_torch_nor_onnxruntime_is_needed(navec_file: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from explanation_service.indexing.backends.static import StaticEncoder;"
        f"StaticEncoder(Path({str(navec_file)!r}));"
        "print([m for m in ('torch', 'transformers', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for absent in (tmp_path / "absent.bin", tmp_path):
        with pytest.raises(ModelUnusable, match=rf"FASTTEXT_MODEL_PATH .*{re.escape(str(absent))}"):
            StaticEncoder(absent)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"no vectors", b"\x80" * 4096):
        (tmp_path / "other").write_bytes(content)
        with pytest.raises(ModelUnusable, match="neither a fastText model nor a navec archive"):
            StaticEncoder(tmp_path / "other")


@pytest.mark.parametrize("share", [0.002, 0.02, 0.5, 0.999])
def test_a_fasttext_file_that_was_cut_short_is_refused(
    fasttext_file: Path, tmp_path: Path, share: float
) -> None:
    content = fasttext_file.read_bytes()
    (tmp_path / "cut").write_bytes(content[: max(6, int(len(content) * share))])
    with pytest.raises(ModelUnusable, match="cut short"):
        StaticEncoder(tmp_path / "cut")


def test_a_fasttext_file_of_a_later_format_is_refused(fasttext_file: Path, tmp_path: Path) -> None:
    content = bytearray(fasttext_file.read_bytes())
    content[4:8] = struct.pack("<i", 99)
    (tmp_path / "later").write_bytes(content)
    with pytest.raises(ModelUnusable, match="format 99"):
        StaticEncoder(tmp_path / "later")


def test_a_broken_navec_archive_is_refused(navec_file: Path, tmp_path: Path) -> None:
    content = navec_file.read_bytes()
    (tmp_path / "cut").write_bytes(content[:1400])
    with pytest.raises(ModelUnusable, match="navec archive"):
        StaticEncoder(tmp_path / "cut")
