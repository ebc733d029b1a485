"""What a command line asks for, and whether it can be meant at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pv_runtime.pretrain.errors import UsageError

__all__ = ["Request", "require_one_meaning"]


@dataclasses.dataclass(frozen=True)
class Request:
    """Options by their names; None where one was not given.

    Parameters
    ----------
    run_dir
        Folder of the run.
    resume
        Whether a run that is there goes on.
    dataset, tokenizer, val_shard, init
        Paths.
    mode
        ``"finetune"`` or ``"from-scratch"``.
    architecture, vocab_size
        Of a model that is trained from nothing: a name of `PRESETS` or a config.json, and rows of its
        embedding.
    synthetic
        Whether tokens are made up.
    device, threads
        As said.
    settings
        Those fields of `Settings` that were given.
    """

    run_dir: str
    resume: bool = False
    dataset: str | None = None
    tokenizer: str | None = None
    val_shard: str | None = None
    init: str | None = None
    mode: str | None = None
    architecture: str | None = None
    vocab_size: int | None = None
    synthetic: bool = False
    device: str | None = None
    threads: int | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def sources(self) -> dict[str, Any]:
        """What a run's record keeps so that it can be taken up without saying it again."""
        names = (
            "dataset",
            "tokenizer",
            "val_shard",
            "init",
            "mode",
            "architecture",
            "vocab_size",
            "synthetic",
        )
        return {name: getattr(self, name) for name in names}


def require_one_meaning(request: Request) -> None:
    """Refuse options that would not be used, and a request that lacks one.

    Raises
    ------
    UsageError
        Names both options, or the missing one.
    """
    r = request
    contradictions = [
        (
            r.synthetic and r.dataset is not None,
            "--synthetic makes tokens up, and --dataset names some",
            "leave one out",
        ),
        (r.synthetic and r.tokenizer is not None, "--synthetic has no text for --tokenizer", "leave one out"),
        (
            r.synthetic and r.val_shard is not None,
            "--synthetic makes its held-out tokens up, too",
            "leave --val-shard out",
        ),
        (
            r.mode == "from-scratch" and r.init is not None,
            "--mode from-scratch draws weights at random, and --init names some",
            "leave --init out, or say --mode finetune",
        ),
        (
            r.mode == "finetune" and r.init is None,
            "--mode finetune needs weights to begin with",
            "name them with --init, or say --mode from-scratch",
        ),
        (
            r.init is not None and r.architecture is not None,
            "--architecture is of a model that is trained from nothing, and --init says its own",
            "leave one out",
        ),
        (
            r.init is not None and r.vocab_size is not None,
            "--vocab-size is of a model that is trained from nothing, and --init has its own rows",
            "leave one out",
        ),
    ]
    for contradicts, what, remedy in contradictions:
        if contradicts:
            raise UsageError("option-unused", what, remedy)
    if not r.synthetic:
        for name in ("dataset", "tokenizer"):
            if getattr(r, name) is None:
                raise UsageError(
                    "option-absurd",
                    f"--{name} is missing",
                    "name one; --synthetic needs none, and learns nothing of use",
                )
