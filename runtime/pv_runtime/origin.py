"""What a file that is written records of the one that it was made from."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pv_runtime.errors import LoadError
from pv_runtime.formats.checkpoint import Checkpoint
from pv_runtime.formats.strict_json import finite, require_shallow
from pv_runtime.provenance import file_sha256

__all__ = [
    "GGUF_PREFIX",
    "PREFIX",
    "Origin",
    "origin_keys",
    "origin_of",
    "recorded",
    "relation",
    "source_sha256",
    "stated_origins",
    "tool",
]


PREFIX, GGUF_PREFIX = "derived_from.", "pv.derived_from."
"""What the keys begin with in APR and safetensors, and in GGUF."""
_REMEMBERED = 32


@dataclasses.dataclass(frozen=True)
class Origin:
    """The digest of the source, the tool that read it with which options, and what that source states.

    `earlier` are the origins that the source records in its turn, the latest first, as JSON objects.
    """

    sha256: str
    tool: str
    options: Mapping[str, object]
    earlier: Sequence[object] = ()


def origin_of(model: Checkpoint, options: Mapping[str, object]) -> Origin:
    """Return the origin of a file that is about to be made from `model`; reads all of its bytes."""
    return Origin(source_sha256(model), tool(), options, recorded(model.metadata))


def stated_origins(model: Checkpoint) -> tuple[str, ...]:
    """Return the digests of what a file says it was made from, the nearest first; none is verified."""
    found = (each.get("sha256") for each in recorded(model.metadata) if isinstance(each, Mapping))
    return tuple(each.lower() for each in found if isinstance(each, str))


def relation(a: Checkpoint, b: Checkpoint, *, verify: bool) -> tuple[str | None, str]:
    """Say how two files are related by their records of origin.

    Parameters
    ----------
    verify
        Hash, whole, each file that the other's record may name; otherwise records are only read.

    Returns
    -------
    tuple[str | None, str]
        ``"b_from_a"`` or ``"a_from_b"``: the digest of one is in the other's record; ``"same_source"``: the
        records name the same nearest source; ``"other_source"``: no record names the other file;
        ``"not_verified"``; or None: neither has a record. And the same in words.
    """
    stated = {"a": stated_origins(a), "b": stated_origins(b)}
    if not any(stated.values()):
        return None, ""
    if verify:
        for child, parent, model in (("b", "a", a), ("a", "b", b)):
            digest = source_sha256(model) if stated[child] else None
            if digest in stated[child]:
                steps = stated[child].index(digest) + 1
                how = "" if steps == 1 else f" in {steps} steps"
                return f"{child}_from_{parent}", f"{child} was derived from {parent}{how} (sha256 matches)"
    if stated["a"][:1] == stated["b"][:1]:
        return "same_source", "both records name the same source"
    who = " and ".join(f"{side}'s" for side in "ab" if stated[side])
    if not verify:
        return "not_verified", f"{who} record of origin is not verified (--verify-origin hashes the files)"
    return "other_source", f"{who} record names another source than the other side"


def origin_keys(origin: Origin, prefix: str) -> dict[str, str]:
    """Return the keys of an origin behind `prefix`; all values are text."""
    earlier = {f"{prefix}earlier": _text(origin.earlier)} if origin.earlier else {}
    return {
        f"{prefix}sha256": origin.sha256,
        f"{prefix}tool": origin.tool,
        f"{prefix}options": _text(origin.options),
        **earlier,
    }


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def recorded(metadata: Mapping[str, object]) -> list[object]:
    """Return what a file records of its own origins; what is no JSON there is kept as text."""
    for prefix in (PREFIX, GGUF_PREFIX):
        stated = {key: metadata.get(f"{prefix}{key}") for key in ("sha256", "tool", "options", "earlier")}
        if stated["sha256"] is not None:
            earlier = _parsed(stated.pop("earlier"))
            latest = {key: _parsed(value) for key, value in stated.items() if value is not None}
            return [latest, *(earlier if isinstance(earlier, list) else [])][:_REMEMBERED]
    return []


def _parsed(value: object) -> object:
    if isinstance(value, str) and value[:1] in {"{", "["}:
        with contextlib.suppress(LoadError, ValueError, RecursionError):
            parsed = json.loads(value, parse_constant=finite, parse_float=finite)
            require_shallow(parsed, "")
            return parsed
    return value


def tool() -> str:
    """Name this program and its version."""
    try:
        return f"apr {importlib.metadata.version('pv')}"
    except importlib.metadata.PackageNotFoundError:
        return "apr (not installed)"


def source_sha256(model: Checkpoint) -> str:
    """Digest a model's file; of several, the lines that ``sha256sum`` prints for their names.

    Returns
    -------
    str
        64 lower-case hexadecimal digits.
    """
    files: tuple[str, ...] = getattr(model, "files", (model.path,))
    if len(files) == 1:
        return file_sha256(files[0])
    lines = (f"{file_sha256(file)}  {Path(file).name}\n" for file in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
