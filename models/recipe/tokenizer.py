"""One byte-level BPE vocabulary, split as Qwen2 splits, with ChatML's tokens at its end."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer

VOCABULARY_SIZE = 4096
END_OF_TEXT = "<|endoftext|>"
IM_START = "<|im_start|>"
IM_END = "<|im_end|>"
# The spares keep the vocabulary's size when a later model needs a token of its own.
SPECIAL_TOKENS = (END_OF_TEXT, IM_START, IM_END, *(f"<|reserved_{spare}|>" for spare in range(5)))

# Qwen2's pre-tokenizer: contractions, words, single digits, punctuation, line ends, blanks.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def train_tokenizer(texts: Iterable[str]) -> Any:
    """Learn the merges from `texts`; the special tokens take the last identifiers, as in Qwen2.

    Returns
    -------
    tokenizers.Tokenizer
        With exactly `VOCABULARY_SIZE` entries.

    Raises
    ------
    ValueError
        The text is too small to fill the vocabulary.

    References
    ----------
    Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units" (2016);
    the pre-tokenizer and normaliser of Qwen2's ``tokenizer.json``.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY_SIZE - len(SPECIAL_TOKENS),
        # All 256 bytes, so that every text can be written down.
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL_TOKENS])
    if tokenizer.get_vocab_size() != VOCABULARY_SIZE:
        raise ValueError(
            f"{tokenizer.get_vocab_size()} entries learnt, not {VOCABULARY_SIZE}: more text is needed"
        )
    return tokenizer


def encode_documents(tokenizer: Any, texts: Iterable[str]) -> NDArray[np.int64]:
    """Encode and join documents, `END_OF_TEXT` after each; identifiers, shape [tokens]."""
    end = tokenizer.token_to_id(END_OF_TEXT)
    parts = [[*encoding.ids, end] for encoding in tokenizer.encode_batch(list(texts))]
    return np.concatenate([np.asarray(part, dtype=np.int64) for part in parts])


def write_tokenizer(tokenizer: Any, folder: Path, context: int) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json``; `context` is in tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=True) + "\n", encoding="utf-8")
    added = {
        str(tokenizer.token_to_id(token)): {
            "content": token,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": True,
        }
        for token in SPECIAL_TOKENS
    }
    settings = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": added,
        "additional_special_tokens": [IM_START, IM_END],
        "bos_token": None,
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": END_OF_TEXT,
        "errors": "replace",
        "model_max_length": context,
        "pad_token": END_OF_TEXT,
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    text = json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")


def read_tokenizer(folder: Path) -> Any:
    """Open ``tokenizer.json`` of `folder`."""
    return Tokenizer.from_file(str(folder / "tokenizer.json"))
