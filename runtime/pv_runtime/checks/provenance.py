"""What a stamped model says of its licence and its data, and that stamping left its tensors alone."""

from __future__ import annotations

import functools

import numpy as np

from pv.check import Metric, Run, check
from pv_runtime.checks import damage, doses
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay
from pv_runtime.provenance import DERIVED_FROM, GGUF_DERIVED_FROM, file_sha256
from pv_runtime.quant.scheme import Bytes
from pv_runtime.stamp import FIELDS, LICENCES, licence

__all__ = ["provenance"]

_STATED = ("license", "data_source", "data_license")
_PLACEHOLDERS = {
    "", "(missing)", "missing", "none", "null", "n/a", "tbd", "todo", "unknown", "proprietary", "other",
    "noassertion",
}  # fmt: skip
"""What stands where nothing was stated; compared without case and surrounding blanks."""


@check(
    metrics=[
        Metric("present", unit="1", kind="count"),
        Metric("stated", unit="1", kind="count"),
        Metric("spdx", unit="1", kind="count"),
        Metric("derived", unit="1", kind="count"),
        Metric("expected_tensors", unit="1", kind="count"),
        Metric("compared", unit="1", kind="count"),
        Metric("one_sided", unit="1", kind="count"),
        Metric("differing_tensors", unit="1", kind="count"),
    ]
)
def provenance(run: Run, *, before: Checkpoint, stamped: Checkpoint) -> None:
    """Look at what `stamped` states, and compare its tensors' bytes with those of `before`.

    For each of ``license``, ``data_source`` and ``data_license``: `present` is 1 if the metadata have
    the key with a text, `stated` if that text is no placeholder. `spdx` is 1 for each of the two
    licences that is an SPDX licence expression (SPDX 2.3, annex D). `derived` is 1 if the metadata name
    the sha256 of `before`, digested now. `expected_tensors` counts those of `before`;
    `differing_tensors` those on both sides whose type, shape or bytes differ.

    Raises
    ------
    LoadError
        A tensor cannot be read.
    """
    gguf = stamped.format == "gguf"
    for field in _STATED:
        value = stamped.metadata.get(FIELDS[field] if gguf else field)
        text = value.strip() if isinstance(value, str) else ""
        run.record("present", int(isinstance(value, str)), label=field)
        run.record("stated", int(text.casefold() not in _PLACEHOLDERS), label=field)
        if field in LICENCES:
            run.record("spdx", int(_is_licence(text)), label=field)
    derived = stamped.metadata.get(GGUF_DERIVED_FROM if gguf else DERIVED_FROM)
    run.record("derived", int(derived == file_sha256(before.path)))
    run.record("expected_tensors", len(before.names()))
    theirs = set(stamped.names())
    one_sided = sorted(set(before.names()) ^ theirs)
    run.record("one_sided", len(one_sided), label=", ".join(one_sided[:8]) or None)
    common = [name for name in before.names() if name in theirs]
    for name in run.progress(common, len(common), label=str):
        old, new = before.info(name), stamped.info(name)
        same = old == new and np.array_equal(before.raw(name), stamped.raw(name))
        run.record("differing_tensors", int(not same), label=name)
    run.record("compared", len(common))


def _is_licence(text: str) -> bool:
    try:
        licence(text)
    except ValueError:
        return False
    return True


def _stating(model: Checkpoint, field: str, value: str | None) -> Overlay:
    key = FIELDS[field] if model.format == "gguf" else field
    others = {name: stated for name, stated in model.metadata.items() if name != key}
    return Overlay(model, metadata=others if value is None else {**others, key: value})


@provenance.counter_example("licence_missing", of="stamped")
def licence_missing(stamped: Checkpoint) -> Checkpoint:
    """Leave the licence out."""
    return _stating(stamped, "license", None)


@provenance.counter_example("data_licence_empty", of="stamped")
def data_licence_empty(stamped: Checkpoint) -> Checkpoint:
    """State blanks as the licence of the data."""
    return _stating(stamped, "data_license", "  ")


@provenance.counter_example("placeholder_source", of="stamped")
def placeholder_source(stamped: Checkpoint) -> Checkpoint:
    """State TBD as the source of the data."""
    return _stating(stamped, "data_source", "TBD")


@provenance.counter_example("missing_in_words", of="stamped")
def missing_in_words(stamped: Checkpoint) -> Checkpoint:
    """State what a tool prints where there is nothing."""
    return _stating(stamped, "data_source", "(missing)")


@provenance.counter_example("proprietary_licence", of="stamped")
def proprietary_licence(stamped: Checkpoint) -> Checkpoint:
    """State a word that is no licence."""
    return _stating(stamped, "license", "Proprietary")


@provenance.counter_example("licence_in_words", of="stamped")
def licence_in_words(stamped: Checkpoint) -> Checkpoint:
    """State a licence as people speak of it, which no tool can tell."""
    return _stating(stamped, "license", "the Apache licence")


@provenance.counter_example("unstamped", of="stamped")
def unstamped(stamped: Checkpoint) -> Checkpoint:
    """Take all metadata away."""
    return damage.without_metadata(stamped)


@provenance.counter_example("flipped_bit", of="stamped")
def flipped_bit(stamped: Checkpoint) -> Checkpoint:
    """Turn one bit of one tensor."""
    name = stamped.names()[len(stamped.names()) // 2]
    turned = functools.partial(_turned, stamped, name)
    return Overlay(stamped, replace={name: LazyTensor(stamped.info(name), turned)})


def _turned(model: Checkpoint, name: str) -> Bytes:
    raw = model.raw(name).copy()
    raw[raw.size // 2] ^= 0x01
    return raw


@provenance.counter_example("missing_tensor", of="stamped")
def missing_tensor(stamped: Checkpoint) -> Checkpoint:
    """Leave the last tensor out."""
    return damage.without_last(stamped)


@provenance.counter_example("extra_tensor", of="stamped")
def extra_tensor(stamped: Checkpoint) -> Checkpoint:
    """Add a tensor that was not there."""
    return damage.with_extra(stamped)


@provenance.counter_example("empty_model", of="before")
def empty_model(before: Checkpoint) -> Checkpoint:
    """Stamp a model of no tensors: nothing is compared, and nothing differs."""
    return damage.emptied(before)


@provenance.dose("flipped_bits", of="stamped")
def flipped_bits(stamped: Checkpoint, amount: int, place: int) -> Checkpoint:
    """Turn bits of the stamped tensors, anywhere."""
    return doses.flipped_bits(stamped, amount, place)
