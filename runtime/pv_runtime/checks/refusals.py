"""What the trainer must refuse: by the falsifier that guards it, with the facts, before it made anything."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pv.check import Metric, Run, check, named
from pv_runtime.architecture import tensor_shapes
from pv_runtime.checks.trainer import Trainer, folder_of, random_init, random_shards, words
from pv_runtime.formats import Checkpoint
from pv_runtime.pretrain import (
    batches,
    checkpoints,
    data,
    device,
    documents,
    errors,
    init,
    prepare,
    request,
    shards,
)
from pv_runtime.pretrain.tokenizer_fit import require_size

__all__ = ["Case", "Sound", "refusals"]


@dataclasses.dataclass(frozen=True)
class Sound:
    """Inputs of a run that nothing is wrong with; cases are made of them.

    Parameters
    ----------
    folder
        Where cases may write.
    init, dataset, tokenizer
        Of the sound run.
    """

    folder: Path
    init: Path
    dataset: Path
    tokenizer: Path

    @property
    def options(self) -> dict[str, Any]:
        """As the command takes them."""
        return {"init": self.init, "dataset": self.dataset, "tokenizer": self.tokenizer}

    def path(self, name: str) -> Path:
        """Return where a case may write a file or folder of its own."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@dataclasses.dataclass(frozen=True)
class Case:
    """A run that is to be refused, or to be accepted.

    Parameters
    ----------
    name
        What is wrong.
    options
        What is said otherwise than for the sound run; ``run_dir`` where the folder matters.
    said
        What the refusal says; the falsifier's id is among it. Nothing where the run is to be accepted.
    """

    name: str
    options: dict[str, Any]
    said: tuple[str, ...] = ()


Cases = Callable[[Sound], Iterator[Case]]


@check(
    metrics=[
        Metric("cases", unit="1", kind="count"),
        Metric("accepted", unit="1", kind="count"),
        Metric("crashed", unit="1", kind="count"),
        Metric("unsaid", unit="1", kind="count"),
        Metric("altered", unit="1", kind="count"),
        Metric("sound", unit="1", kind="count"),
        Metric("sound_refused", unit="1", kind="count"),
    ]
)
def refusals(run: Run, *, tokenizer: Checkpoint, cases: str) -> None:
    """Run each of `cases`, which names a function of this project as ``module:name``.

    Of each that is to be refused: `accepted` is 1 if the command exits with 0, `crashed` if with neither 1
    nor 2; `unsaid` counts what the refusal should say and does not; `altered` is 1 if anything at the folder
    of the run was made or changed. `sound_refused` is 1 for each run that is to be accepted, the one of sound
    inputs among them, and is not.
    """
    trainer: Trainer = run.role("trainer", Trainer())
    folder = Path(run.scratch())
    sound = Sound(
        folder / "cases",
        random_init(folder / "sound" / "init"),
        random_shards(folder / "sound" / "shards"),
        folder_of(tokenizer),
    )
    make: Cases = named(cases)
    accepted = refused = 0
    # One at a time: a case may change its files once the one before it has run.
    for number, case in enumerate(itertools.chain([Case("sound inputs", {})], make(sound))):
        line = words(**{"run_dir": folder / f"run-{number}", **sound.options, **case.options})
        place = Path(line[line.index("--run-dir") + 1])
        before = _state(place)
        ended = trainer.run(line)
        if not case.said:
            run.record("sound_refused", int(ended.code != 0), label=case.name)
            accepted += 1
            continue
        refused += 1
        run.record("accepted", int(ended.code == 0), label=case.name)
        run.record("crashed", int(ended.code not in {0, 1, 2}), label=case.name)
        unsaid = [each for each in case.said if each not in ended.said]
        run.record("unsaid", len(unsaid), label=f"{case.name}: {', '.join(unsaid)}" if unsaid else case.name)
        run.record("altered", int(_state(place) != before), label=case.name)
    run.record("cases", refused)
    run.record("sound", accepted)


def _state(place: Path) -> dict[str, str]:
    """Return a digest of every file at `place`, and the names of folders; nothing where nothing is."""
    if place.is_file():
        return {"": hashlib.sha256(place.read_bytes()).hexdigest()}
    found = {"": "folder"} if place.is_dir() else {}
    for path in place.rglob("*"):
        whole = path.is_file()
        found[str(path.relative_to(place))] = (
            hashlib.sha256(path.read_bytes()).hexdigest() if whole else "folder"
        )
    return found


@refusals.counter_example("says_no_falsifier", of="trainer")
def says_no_falsifier(trainer: Trainer) -> Trainer:
    """Refuse as rightly, and name no falsifier."""
    return trainer.having(errors, "GUARDS", lambda _: collections.defaultdict(str))


@refusals.counter_example("folder_comes_first", of="trainer")
def folder_comes_first(trainer: Trainer) -> Trainer:
    """Make the run's folder, and look at the rest after it."""

    def make(whole: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def preparing(asked: Any) -> Any:
            Path(asked.run_dir).mkdir(parents=True, exist_ok=True)
            return whole(asked)

        return preparing

    return trainer.having(prepare, "prepare", make)


@refusals.counter_example("refuses_everything", of="trainer")
def refuses_everything(trainer: Trainer) -> Trainer:
    """Refuse sound inputs as well."""

    def make(_: object) -> Callable[[Any], Any]:
        def never(asked: Any) -> Any:
            raise errors.TrainingError("init-unreadable", f"{asked.init}: no", "give up")

        return never

    return trainer.having(prepare, "prepare", make)


@refusals.counter_example("falls_back_to_random_weights", of="trainer")
def falls_back_to_random_weights(trainer: Trainer) -> Trainer:
    """Where an init cannot be taken, draw weights instead: the run goes on as if nothing were wrong."""

    def make(whole: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def preparing(asked: request.Request) -> Any:
            try:
                return whole(asked)
            except errors.TrainingError:
                lenient = dataclasses.replace(asked, init=None, mode=None, vocab_size=4096)
                small = {"num_steps": 0, "warmup_steps": 0, "batch_size": 1}
                settings = {**asked.settings, **small}
                return whole(dataclasses.replace(lenient, architecture=_any_config(asked), settings=settings))

        return preparing

    return trainer.having(prepare, "prepare", make)


def _any_config(asked: request.Request) -> str:
    """Return the folder of the sound init, of which the check makes every case."""
    return str(Path(asked.run_dir).parent / "sound" / "init")


@refusals.counter_example("fields_not_compared", of="trainer")
def fields_not_compared(trainer: Trainer) -> Trainer:
    """Leave it to the tensors to contradict the metadata: no field is named any more."""
    return trainer.having(init, "_agree", lambda _: lambda *_: None)


@refusals.counter_example("family_not_asked", of="trainer")
def family_not_asked(trainer: Trainer) -> Trainer:
    """Take every model for a decoder, and an encoder's tensors for damaged ones."""
    return trainer.having(init, "_require_family", lambda _: lambda *_: None)


@refusals.counter_example("shapes_not_compared", of="trainer")
def shapes_not_compared(trainer: Trainer) -> Trainer:
    """Take tensors as they come, and find out when they are put together."""
    return trainer.having(init, "check_tensors", lambda _: lambda *_: None)


@refusals.counter_example("values_not_looked_at", of="trainer")
def values_not_looked_at(trainer: Trainer) -> Trainer:
    """Read weights, and take what is NaN or infinite for 0."""

    def make(_: object) -> Callable[[init.Init], dict[str, Tensor]]:
        return lambda source: {
            name: torch.from_numpy(np.nan_to_num(np.array(source.view.tensor(name))))
            for name, _ in tensor_shapes(source.architecture)
        }

    return trainer.having(prepare, "read_weights", make)


@refusals.counter_example("sizes_not_compared", of="trainer")
def sizes_not_compared(trainer: Trainer) -> Trainer:
    """Take any tokenizer for the init's."""
    lenient = trainer.having(prepare, "require_fit", lambda _: lambda *_, **__: None)
    return lenient.having(prepare, "require_size", lambda _: lambda *_, **__: None)


@refusals.counter_example("ids_taken_modulo", of="trainer")
def ids_taken_modulo(trainer: Trainer) -> Trainer:
    """Let ids beyond the embedding be, and wrap them round when they are looked up."""

    def wrapped(batch: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., tuple[Tensor, Tensor]]:
        def taking(self: batches.Batches, position: int, size: int) -> tuple[Tensor, Tensor]:
            tokens, targets = batch(self, position, size)
            return tokens % 4096, targets % 4096

        return taking

    def windows(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *arguments: make(*arguments) % 4096

    lenient = trainer.having(shards, "require_ids", lambda _: lambda *_: None)
    return lenient.having(batches.Batches, "batch", wrapped).having(prepare, "windows_of", windows)


@refusals.counter_example("leak_not_looked_for", of="trainer")
def leak_not_looked_for(trainer: Trainer) -> Trainer:
    """Take the user's word that what is held out is held out."""
    lenient = trainer.having(data, "require_apart", lambda _: lambda *_: None)
    return lenient.having(data, "_require_outside", lambda _: lambda *_: None)


@refusals.counter_example("what_was_asked_before_is_forgotten", of="trainer")
def what_was_asked_before_is_forgotten(trainer: Trainer) -> Trainer:
    """Go on with a run without a look at how it began."""
    return trainer.having(prepare, "_same_run", lambda _: lambda *_: [])


@refusals.counter_example("begins_again_in_its_folder", of="trainer")
def begins_again_in_its_folder(trainer: Trainer) -> Trainer:
    """Take any folder for a run's, and begin where none is."""
    return trainer.having(prepare, "_record_of", lambda _: lambda *_, **__: None)


@refusals.counter_example("held_against_another_shape", of="trainer")
def held_against_another_shape(trainer: Trainer) -> Trainer:
    """Hold every tokenizer against the shape of a run from nothing, whatever the init says."""

    def make(_: object) -> Callable[[Any, init.Init], None]:
        return lambda tokenizer, _: require_size(tokenizer, 50257, stated=False)

    return trainer.having(prepare, "require_fit", make)


@refusals.counter_example("one_token_off", of="trainer")
def one_token_off(trainer: Trainer) -> Trainer:
    """Compare with one row more than there is, as who counts from 0 may do."""

    def make(fit: Callable[[Any, init.Init], None]) -> Callable[[Any, init.Init], None]:
        def lenient(tokenizer: Any, source: init.Init) -> None:
            wide = dataclasses.replace(source.architecture, vocab_size=source.architecture.vocab_size + 1)
            fit(tokenizer, dataclasses.replace(source, architecture=wide))

        return lenient

    return trainer.having(prepare, "require_fit", make)


@refusals.counter_example("must_be_equal", of="trainer")
def must_be_equal(trainer: Trainer) -> Trainer:
    """Ask of an init for as many rows as there are tokens, as without one."""

    def make(_: object) -> Callable[[Any, init.Init], None]:
        return lambda tokenizer, source: require_size(tokenizer, source.architecture.vocab_size, stated=False)

    return trainer.having(prepare, "require_fit", make)


@refusals.counter_example("any_word_is_a_device", of="trainer")
def any_word_is_a_device(trainer: Trainer) -> Trainer:
    """Take the CPU where a device cannot be had, or is spelt as none is."""

    def make(resolve: Callable[..., device.Device]) -> Callable[..., device.Device]:
        def falling_back(asked: str, **how: Any) -> device.Device:
            try:
                return resolve(asked, **how)
            except errors.TrainingError:
                return device.Device("cpu", "nothing else is there")

        return falling_back

    return trainer.having(device, "resolve", make).having(prepare, "resolve_device", make)


@refusals.counter_example("damage_is_skipped", of="trainer")
def damage_is_skipped(trainer: Trainer) -> Trainer:
    """Go back to an earlier checkpoint where the last one is damaged, and say nothing."""

    def make(load: Callable[[Path], checkpoints.Saved]) -> Callable[[Path], checkpoints.Saved]:
        def lenient(folder: Path) -> checkpoints.Saved:
            for path in (folder, *reversed(checkpoints.checkpoints_of(folder.parents[1])[:-1])):
                with contextlib.suppress(errors.TrainingError):
                    return load(path)
            return load(folder)

        return lenient

    return trainer.having(checkpoints, "load", make)


@refusals.counter_example("a_short_shard_is_filled_up", of="trainer")
def a_short_shard_is_filled_up(trainer: Trainer) -> Trainer:
    """Fill tokens up with zeros until there is a sequence of them, and a shard's end to a whole token."""

    def opening(_: object) -> Callable[[Path, int], shards.Tokens]:
        def filled(path: Path, vocabulary: int) -> shards.Tokens:
            raw = path.read_bytes()
            ids = np.frombuffer(raw + bytes(-len(raw) % 4 + 4 * 64), "<u4") % np.uint32(vocabulary)
            return shards.Tokens(str(path), ids, hashlib.sha256(raw).hexdigest())

        return filled

    return trainer.having(data, "open_shard", opening)


@refusals.counter_example("what_is_no_text_is_left_out", of="trainer")
def what_is_no_text_is_left_out(trainer: Trainer) -> Trainer:
    """Read what is no UTF-8 as if it were, with a mark for each byte."""

    def make(_: object) -> Callable[[Path], list[documents.Document]]:
        def reading(path: Path) -> list[documents.Document]:
            files = sorted(each for each in path.rglob("*") if each.is_file())
            texts = [(each.name, each.read_bytes().decode(errors="replace")) for each in files]
            return [documents.Document(name, text) for name, text in texts if text]

        return reading

    return trainer.having(data, "documents_in", make)
