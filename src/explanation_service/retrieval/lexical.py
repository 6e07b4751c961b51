"""The lexical lane: BM25 term weights over Russian stems, as hashed sparse vectors.

The term weight of a passage is tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average)), the
usual BM25 (Robertson and Zaragoza 2009); Qdrant multiplies by the IDF of its collection. Words and
character trigrams of their stems are counted alike in a passage; the query decides how much each
weighs. A misspelt word shares no stem with the right one, but most of its trigrams.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from functools import lru_cache

from snowballstemmer.russian_stemmer import RussianStemmer

from explanation_service.stores.records import SparseVector

# Raised with every change below that alters a passage's vector; it is part of the content hash, so
# that the worker refreshes what was computed by older code.
LEXICAL_VERSION = 1

BM25_K1 = 1.2
BM25_B = 0.75
# In words: a passage of at most 256 tokens of the model has about 110 Russian words. A constant,
# for a true average would make a passage's vector depend on the others.
AVERAGE_PASSAGE_WORDS = 110

# One word of the title counts as this many words of the text.
TITLE_WEIGHT = 3
# Both parts of "буква-разделитель" are found by either word, below the whole.
COMPOUND_PART_WEIGHT = 0.5
# A whole word's trigrams together weigh this much of the word itself, shared out among them. Swept
# over 59 own questions and the same with typos, 139 rules: without trigrams hit@1 .78 clean, .55
# with one word misspelt, .24 with all misspelt; at 2.0 and above .85, .66, .61. Fused with the
# dense lane (bench/data/retrieval_questions.jsonl) 1.5 to 3 are equal.
NGRAM_WEIGHT = 2.0
NGRAM_LENGTH = 3
# The trigrams of shorter stems say no more than the stem.
NGRAM_SHORTEST_STEM = 3
# A query longer than this is a pasted text: its first words are enough, and the time stays bounded.
MAX_QUERY_WORDS = 256

_WORD = re.compile(r"[а-яa-z0-9]+(?:-[а-яa-z0-9]+)*")


def _fold(text: str) -> str:
    # "е" and "ё" are the same letter to most writers; a stress mark (U+0301) is not a letter.
    decomposed = unicodedata.normalize("NFC", text.lower().replace("\u0301", ""))
    return decomposed.replace("ё", "е")


def words_of(text: str) -> list[str]:
    """Lower-case words of Russian and Latin letters and digits, "ё" as "е", hyphens kept inside."""
    return _WORD.findall(_fold(text))


@lru_cache(maxsize=16_384)
def stem(word: str) -> str:
    """Snowball stem of one folded word. The cache holds the vocabulary of a rule book, in 4 MB."""
    # A stemmer of its own per call: the object holds the word it works on, and threads share it.
    return str(RussianStemmer().stemWord(word))


# 1 KB a word: of all that pupils write, numbers and typing errors included, only the usual ones.
@lru_cache(maxsize=8_192)
def _features(word: str) -> tuple[tuple[int, float], ...]:
    """(hashed term, weight) of one word: the stem, the parts of a compound, the stem's trigrams."""
    terms = [(_hash("w", stem(word)), 1.0)]
    parts = word.split("-") if "-" in word else [word]
    for part in parts:
        root = stem(part)
        if len(parts) > 1:
            terms.append((_hash("w", root), COMPOUND_PART_WEIGHT))
        terms.extend(_ngrams(root))
    return tuple(terms)


def _ngrams(root: str) -> list[tuple[int, float]]:
    if len(root) < NGRAM_SHORTEST_STEM:
        return []
    # The marks tell a trigram at the start or the end of a stem from one inside.
    marked = f"^{root}$"
    count = len(marked) - NGRAM_LENGTH + 1
    weight = NGRAM_WEIGHT / count
    return [(_hash("g", marked[at : at + NGRAM_LENGTH]), weight) for at in range(count)]


def _hash(kind: str, term: str) -> int:
    # CRC-32 is the same on every machine and version, unlike hash(). At 10,000 terms about one
    # pair in the whole vocabulary collides, which costs that pair a little precision.
    return zlib.crc32(f"{kind}:{term}".encode())


def encode_document(title: str, body_text: str) -> SparseVector:
    """Sparse vector of a passage: `body_text` is the passage's own text, without the title.

    Indices are unique unsigned 32-bit numbers in rising order; values are positive.
    """
    body = Counter(words_of(body_text))
    heading = Counter(words_of(title))
    length = sum(body.values()) + sum(heading.values())
    norm = BM25_K1 * (1 - BM25_B + BM25_B * length / AVERAGE_PASSAGE_WORDS)
    frequencies: dict[int, int] = {}
    for word in body.keys() | heading.keys():
        count = body[word] + TITLE_WEIGHT * heading[word]
        for term, _ in _features(word):
            frequencies[term] = frequencies.get(term, 0) + count
    return _sparse(
        {
            term: frequency * (BM25_K1 + 1) / (frequency + norm)
            for term, frequency in frequencies.items()
        }
    )


def encode_query(text: str) -> SparseVector:
    """Sparse vector of a question; empty when it holds no word."""
    weights: dict[int, float] = {}
    for word in dict.fromkeys(words_of(text)[:MAX_QUERY_WORDS]):
        for term, weight in _features(word):
            weights[term] = max(weights.get(term, 0.0), weight)
    return _sparse(weights)


def _sparse(weights: dict[int, float]) -> SparseVector:
    ordered = sorted(weights.items())
    return SparseVector(
        indices=tuple(term for term, _ in ordered),
        values=tuple(round(value, 6) for _, value in ordered),
    )
