"""What a publish manifest states: every field that it must have, and licences that can be looked up."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

from pv.check import Metric, Run, check
from pv_runtime.checks.manifest_text import edited, statements
from pv_runtime.formats import FileBytes
from pv_runtime.stamp import licence

__all__ = ["spdx_licences", "stated_fields"]

_PIPELINES = {"pretraining", "finetune", "distillation", "quantisation", "conversion", "merge"}
_FORMATS = {"apr", "gguf", "safetensors"}
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TYPE = re.compile(r"(bf16|f16|f32|q[2-8]_(k|0|1))")


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _matches(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _instant(value: object) -> bool:
    """Tell whether it is a time of ISO 8601 in UTC."""
    try:
        parsed = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return False
    return parsed is not None and parsed.utcoffset() == dt.timedelta(0)


def _files(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(_file(each) for each in value)


def _file(entry: object) -> bool:
    if not isinstance(entry, dict):
        return False
    size = entry.get("size")
    digest = _matches(_DIGEST)(entry.get("sha256"))
    return digest and _text(entry.get("name")) and _text(entry.get("url")) and type(size) is int and size > 0


def _parents(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, dict) and _text(each.get("model_id")) and _matches(_DIGEST)(each.get("sha256"))
        for each in value
    )


_FIELDS: Mapping[str, Callable[[object], bool]] = {
    "model_id": _text,
    "version": _matches(_VERSION),
    "architecture": _text,
    "format": lambda value: value in _FORMATS,
    "quantization": _matches(_TYPE),
    "files": _files,
    "license": _text,
    "published_at": _instant,
    "published_by": _text,
    "provenance.pipeline": lambda value: value in _PIPELINES,
    "provenance.parents": _parents,
    "provenance.data_source": _text,
    "provenance.data_license": _text,
    "provenance.recipe": _text,
    "provenance.recipe_sha256": _matches(_DIGEST),
}
"""Each field, and whether a value is one of it."""


@check(
    metrics=[
        Metric("readable", unit="1", kind="count"),
        Metric("fields", unit="1", kind="count"),
        Metric("wrong", unit="1", kind="count"),
    ]
)
def stated_fields(run: Run, *, manifest: FileBytes) -> None:
    """Look at each field that `manifest` must have.

    `wrong` is 1 for one that is missing, empty or of another kind.
    """
    said = statements(manifest)
    run.record("readable", int(said is not None))
    for field, sound in _FIELDS.items():
        run.record("wrong", int(not _sound(sound, _value(said or {}, field))), label=field)
    run.record("fields", len(_FIELDS))


def _sound(sound: Callable[[object], bool], value: object) -> bool:
    try:
        return sound(value)
    except TypeError:  # a list is in no set of words
        return False


def _value(said: Mapping[str, Any], field: str) -> object:
    outer, _, inner = field.rpartition(".")
    where = said.get(outer) if outer else said
    return where.get(inner) if isinstance(where, dict) else None


def _put(manifest: FileBytes, field: str, value: object) -> FileBytes:
    outer, _, inner = field.rpartition(".")
    return edited(manifest, lambda said: (said[outer] if outer else said).update({inner: value}))


@stated_fields.counter_example("no_publisher", of="manifest")
def no_publisher(manifest: FileBytes) -> FileBytes:
    """Leave out who published it."""
    return edited(manifest, lambda said: said.pop("published_by"))


@stated_fields.counter_example("no_provenance", of="manifest")
def no_provenance(manifest: FileBytes) -> FileBytes:
    """Leave all of the provenance out."""
    return edited(manifest, lambda said: said.pop("provenance"))


@stated_fields.counter_example("data_source_null", of="manifest")
def data_source_null(manifest: FileBytes) -> FileBytes:
    """Have the key of the data's source, and nothing there."""
    return _put(manifest, "provenance.data_source", None)


@stated_fields.counter_example("version_in_words", of="manifest")
def version_in_words(manifest: FileBytes) -> FileBytes:
    """State a version that no program can order."""
    return _put(manifest, "version", "latest")


@stated_fields.counter_example("time_without_a_zone", of="manifest")
def time_without_a_zone(manifest: FileBytes) -> FileBytes:
    """State a time that is another one elsewhere."""
    return _put(manifest, "published_at", "2026-11-29T12:00:00")


@stated_fields.counter_example("size_as_text", of="manifest")
def size_as_text(manifest: FileBytes) -> FileBytes:
    """State the size as text."""
    return edited(manifest, lambda said: said["files"][0].update(size=str(said["files"][0]["size"])))


@stated_fields.counter_example("no_json", of="manifest")
def no_json(manifest: FileBytes) -> FileBytes:
    """Cut the last bracket off."""
    return manifest.cut(manifest.size - 2)


@stated_fields.dose("fields_emptied", of="manifest")
def fields_emptied(manifest: FileBytes, amount: int, place: int) -> FileBytes:
    """Empty so many fields, chosen by the place."""
    chance = random.Random(f"fields {place}")  # noqa: S311  places, no secret
    for field in chance.sample(sorted(_FIELDS), min(amount, len(_FIELDS))):
        manifest = _put(manifest, field, "")
    return manifest


@check(
    metrics=[
        Metric("expected", unit="1", kind="count"),
        Metric("not_spdx", unit="1", kind="count"),
    ]
)
def spdx_licences(run: Run, *, manifest: FileBytes) -> None:
    """Look up each licence of `manifest`: its own, the data's, and each parent's.

    `not_spdx` is 1 for one that is no SPDX licence expression as SPDX spells it (SPDX 2.3, annex D). There
    are `expected` licences: two, and one for each parent of the undamaged manifest.
    """
    before = _value(statements(run.undamaged("manifest")) or {}, "provenance.parents")
    run.record("expected", 2 + (len(before) if isinstance(before, list) else 0))
    said = statements(manifest) or {}
    found = {field: _value(said, field) for field in ("license", "provenance.data_license")}
    parents = _value(said, "provenance.parents")
    for place, parent in enumerate(parents if isinstance(parents, list) else ()):
        found[f"parent {place}"] = parent.get("license") if isinstance(parent, dict) else None
    for label, value in found.items():
        run.record("not_spdx", int(not _spelt(value)), label=label)


def _spelt(value: object) -> bool:
    try:
        return isinstance(value, str) and licence(value) == value
    except ValueError:
        return False


@spdx_licences.counter_example("licence_unknown", of="manifest")
def licence_unknown(manifest: FileBytes) -> FileBytes:
    """State that the licence is not known."""
    return _put(manifest, "license", "unknown")


@spdx_licences.counter_example("licence_in_small_letters", of="manifest")
def licence_in_small_letters(manifest: FileBytes) -> FileBytes:
    """Spell a licence as no list has it."""
    return _put(manifest, "license", "mit")


@spdx_licences.counter_example("data_licence_to_be_determined", of="manifest")
def data_licence_to_be_determined(manifest: FileBytes) -> FileBytes:
    """Put the licence of the data off."""
    return _put(manifest, "provenance.data_license", "TBD")


@spdx_licences.counter_example("parent_without_licence", of="manifest")
def parent_without_licence(manifest: FileBytes) -> FileBytes:
    """Say nothing of the licence of the last parent."""
    return edited(manifest, lambda said: said["provenance"]["parents"][-1].pop("license"))


@spdx_licences.counter_example("parents_left_out", of="manifest")
def parents_left_out(manifest: FileBytes) -> FileBytes:
    """Name no parents: their licences are no longer wrong."""
    return _put(manifest, "provenance.parents", [])
