"""What the checksum at the end of an APR file sees, and that writing twice gives the same bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pv.check import CheckError, Metric, Run, check
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, FileBytes, open_bytes
from pv_runtime.formats.apr import AprCheckpoint, footer_matches, read_apr

__all__ = ["apr_seal"]

Verify = Callable[[AprCheckpoint], bool | None]


@check(
    metrics=[
        Metric("whole_matches", unit="1", kind="count"),
        Metric("expected_flips", unit="1", kind="count"),
        Metric("seen", unit="1", kind="count"),
        Metric("same_bytes", unit="1", kind="count"),
    ]
)
def apr_seal(run: Run, *, model: Checkpoint) -> None:
    """Export `model` to APR twice, then turn one bit of each tensor in turn and ask for the checksum.

    `whole_matches` is 1 if the checksum of the file as written is right; `seen` is 1 for each tensor in
    which a bit turned, at a place drawn at random, makes it wrong; `expected_flips` counts the model's
    tensors. `same_bytes` is 1 if the two files are equal.

    Raises
    ------
    LoadError
        The model has no exact counterpart in APR.
    """
    folder = Path(run.scratch())
    for name in ("first.apr", "second.apr"):
        export(run.undamaged("model"), str(folder / name), "apr", with_tokenizer=False)
    second: FileBytes = run.role("second", open_bytes(folder / "second.apr"))
    verify: Verify = run.role("verify", footer_matches)
    first = read_apr(open_bytes(folder / "first.apr"))
    run.record("same_bytes", int(_equal(first.source, second)))
    run.record("whole_matches", int(verify(first) is True))
    generator = np.random.default_rng(run.seed)
    run.record("expected_flips", len(model.names()))
    for name, (info, start) in run.progress(first.table.items(), len(first.table)):
        place = start + int(generator.integers(info.nbytes))
        source = _flipped(first.source, place, int(generator.integers(8)))
        damaged = dataclasses.replace(first, source=source)
        run.record("seen", int(verify(damaged) is False), label=name)


def _equal(first: FileBytes, second: FileBytes) -> bool:
    return np.array_equal(first.read(0, first.size), second.read(0, second.size))


def _flipped(file: FileBytes, place: int, bit: int) -> FileBytes:
    head = bytearray(file.read(0, place + 1).tobytes())
    head[place] ^= 1 << bit
    return file.with_head(bytes(head), instead_of=place + 1)


@apr_seal.counter_example("never_looks", of="verify")
def never_looks(verify: Verify) -> Verify:
    """Find every checksum right."""
    del verify
    return lambda _: True


@apr_seal.counter_example("never_content", of="verify")
def never_content(verify: Verify) -> Verify:
    """Find every checksum wrong."""
    del verify
    return lambda _: False


@apr_seal.counter_example("looks_at_the_first_half", of="verify")
def looks_at_the_first_half(verify: Verify) -> Verify:
    """Overlook damage in the second half of the file."""

    def lazy(model: AprCheckpoint) -> bool | None:
        return True if len(model.source.head) > model.source.size // 2 else verify(model)

    return lazy


@apr_seal.counter_example("another_key", of="second")
def another_key(second: FileBytes) -> FileBytes:
    """Change one byte of the metadata of the second file, as a key in another order would."""
    if second.size <= 80:
        raise CheckError(f"{second.path} has no metadata to damage")
    return _flipped(second, 80, 0)
