"""The trainer as checks run it: the whole command, in their own process, of which defects replace parts.

Of ``apr`` only this command is imported, so that what checks record rests on nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch._dynamo  # noqa: F401  every run would, for seconds; named here, the zygote does, once for all
from torch import Tensor

from pv_runtime.architecture import Architecture
from pv_runtime.commands import pretrain
from pv_runtime.errors import LoadError, ModelError
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.pretrain import checkpoints, prepare
from pv_runtime.pretrain.random_weights import draw
from pv_runtime.random_model import RandomModel

__all__ = [
    "SMALL",
    "Ended",
    "Trainer",
    "folder_of",
    "of_altered_weights",
    "of_random_weights",
    "parser",
    "random_init",
    "random_shards",
    "remove",
    "words",
]

SMALL = Architecture(
    family="qwen2",
    hidden_size=16,
    intermediate_size=24,
    layers=2,
    heads=4,
    kv_heads=2,
    head_dim=4,
    vocab_size=4096,
    max_positions=64,
    rope_theta=1e4,
    rms_norm_eps=1e-6,
    qkv_bias=True,
    tied=True,
)
"""A shape that takes milliseconds, with as many rows as the shipped tokenizer has tokens."""
_SHORT = {"num_steps": 2, "batch_size": 2, "seq_length": 16, "lr": 1e-3, "save_every": 1, "keep": 9}


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a run of the command ended.

    Parameters
    ----------
    code
        Its exit code.
    said
        What it printed on stderr.
    report
        Its JSON; empty where it printed none.
    folder
        Of the run, whether or not it was made.
    """

    code: int
    said: str
    report: dict[str, Any]
    folder: Path

    @property
    def made(self) -> bool:
        """Whether there is anything at the run's folder."""
        return self.folder.exists()

    @property
    def latest(self) -> Path:
        """Folder of the last checkpoint."""
        return checkpoints.checkpoints_of(self.folder)[-1]

    @property
    def record(self) -> dict[str, Any]:
        """What run.json says."""
        found: dict[str, Any] = json.loads((self.folder / prepare.RECORD).read_bytes())
        return found

    @property
    def stated(self) -> dict[str, Any]:
        """What the last checkpoint's own metadata say of its training."""
        found: dict[str, Any] = json.loads(str(open_checkpoint(self.latest).metadata["pretrain"]))
        return found


@dataclasses.dataclass(frozen=True)
class Trainer:
    """`apr pretrain`; the role in which defects are planted.

    Parameters
    ----------
    replaced
        Module, name, and what makes another thing of the one that stands there.
    """

    replaced: tuple[tuple[ModuleType | type, str, Callable[[Any], Any]], ...] = ()

    def having(self, module: ModuleType | type, name: str, make: Callable[[Any], Any]) -> Trainer:
        """Return a trainer of which `module`'s `name` is `make` of what it was."""
        return Trainer((*self.replaced, (module, name, make)))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the replaced parts in their places for a while."""
        with contextlib.ExitStack() as before:
            for module, name, make in self.replaced:
                part = getattr(module, name)
                before.callback(setattr, module, name, part)
                setattr(module, name, make(part))
            yield

    def run(self, line: list[str]) -> Ended:
        """Run ``apr`` with the arguments `line`, which name a run's folder."""
        out, err = io.StringIO(), io.StringIO()
        folder = Path(line[line.index("--run-dir") + 1])
        said = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
        with self.in_place(), _away(folder.parents), said[0], said[1]:
            code = _code_of(line)
        text = out.getvalue()
        report = json.loads(text) if text.startswith("{") else {}
        return Ended(code, err.getvalue(), report, folder)


def of_altered_weights(trainer: Trainer, alter: Callable[[dict[str, Tensor]], None]) -> Trainer:
    """Let the init's weights be read, and then altered in place by `alter`, which gets them by name."""

    def make(read: Callable[[Any], dict[str, Tensor]]) -> Callable[[Any], dict[str, Tensor]]:
        def reading(init: Any) -> dict[str, Tensor]:
            weights = read(init)
            alter(weights)
            return weights

        return reading

    return trainer.having(prepare, "read_weights", make)


def of_random_weights(trainer: Trainer) -> Trainer:
    """Check the init, and then draw all weights as if there were none."""
    return trainer.having(prepare, "read_weights", lambda _: lambda init: draw(init.architecture, 42))


def _away(folders: Sequence[Path]) -> contextlib.AbstractContextManager[None]:
    """Work in the first folder that is there.

    Who removes a tree opens its folders by names relative to each other, which whoever watches takes for
    names in the working folder: there they would be the project's.
    """
    return contextlib.chdir(next(folder for folder in folders if folder.is_dir()))


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it."""
    with _away(folder.parents):
        shutil.rmtree(folder)


def parser() -> argparse.ArgumentParser:
    """Return a parser that knows this command only."""
    whole = argparse.ArgumentParser(prog="apr")
    pretrain.register(whole.add_subparsers(required=True))
    return whole


def _code_of(line: list[str]) -> int:
    """Run the command, and end as ``apr`` does: 1 for what is refused, 2 for usage, 4 for its own fault."""
    try:
        arguments = parser().parse_args(line)
        code: int = arguments.run(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2
    except (LoadError, ModelError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Exception:  # a fault in the program is what is measured, too
        traceback.print_exc()
        return 4
    return code


def folder_of(model: Checkpoint) -> Path:
    """Return the folder that a subject lies in, with its tokenizer."""
    path = Path(model.path).resolve()
    return path if path.is_dir() else path.parent


def words(run_dir: Path, **options: Any) -> list[str]:
    """Spell a short run on one thread of the CPU as a command line.

    What is named is said instead, or left out where it is None.
    """
    found = {"device": "cpu", "threads": 1, **_SHORT, **options}
    line = ["pretrain", "--json", "--run-dir", str(run_dir)]
    for name, value in found.items():
        if value is not None and value is not False:
            line += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return line


def random_init(folder: Path, architecture: Architecture = SMALL, seed: int = 5) -> Path:
    """Write a model of random weights into the new folder `folder`, and return that."""
    folder.mkdir(parents=True)
    RandomModel(architecture, seed=seed).save(folder)
    return folder


def random_shards(folder: Path, *, vocabulary: int = 4096, shards: int = 3, tokens: int = 500) -> Path:
    """Write shards of random ids, which have nothing in common, into the new folder `folder`."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(7)
    for number in range(shards):
        ids = generator.integers(vocabulary, size=tokens, dtype=np.uint32)
        (folder / f"shard-{number}.bin").write_bytes(ids.astype("<u4").tobytes())
    return folder
