"""Whether a tokenizer is the one that a model was trained with."""

from __future__ import annotations

from pv_runtime.errors import LoadError
from pv_runtime.pretrain.errors import TrainingError
from pv_runtime.pretrain.init import Init
from pv_runtime.tokenizer import Tokenizer, tokenizer_of

__all__ = ["require_fit", "require_size"]


def require_fit(tokenizer: Tokenizer, init: Init) -> None:
    """Refuse a tokenizer with more tokens than the init has rows, or whose tokens are not those of the init.

    An init that carries no tokenizer of its own, or one that is not read here, is held by its rows alone.

    Raises
    ------
    TrainingError
        Names both sizes, or the first token that differs.
    """
    rows = init.architecture.vocab_size
    if tokenizer.size > rows:
        raise TrainingError(
            "tokenizer-too-large",
            f"the tokenizer has {tokenizer.size} tokens, and the init's embedding {rows} rows",
            "take the tokenizer of the init: --tokenizer names the folder that it lies in",
        )
    try:
        own = tokenizer_of(init.model, init.folder)
    except LoadError:
        return
    for number in range(min(own.size, rows)):
        ours, theirs = tokenizer.bytes_of(number), own.bytes_of(number)
        if ours != theirs:
            raise TrainingError(
                "tokenizer-of-another",
                f"token {number} is {ours!r} in the tokenizer and {theirs!r} in the init's own: its "
                "rows would "
                "be taken for other tokens",
                "take the tokenizer of the init, or one that only adds tokens to it",
            )


def require_size(tokenizer: Tokenizer, rows: int, *, stated: bool) -> None:
    """Without an init, the embedding has a row for each token and no more, unless `stated` says how many.

    Raises
    ------
    TrainingError
        Names both sizes.
    """
    if tokenizer.size == rows or (stated and tokenizer.size < rows):
        return
    raise TrainingError(
        "tokenizer-of-other-size",
        f"the tokenizer has {tokenizer.size} tokens, and the architecture {rows} rows",
        f"say --vocab-size {tokenizer.size}, or more where rows are to be kept free",
    )
