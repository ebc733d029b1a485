"""What a file that is written records of the one that it was made from."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path

from pv_runtime.formats.checkpoint import Checkpoint
from pv_runtime.provenance import file_sha256

__all__ = ["Origin", "origin_keys", "source_sha256", "tool"]


@dataclasses.dataclass(frozen=True)
class Origin:
    """The digest of the source, the tool that read it, and with which options."""

    sha256: str
    tool: str
    options: Mapping[str, object]


def origin_keys(origin: Origin, prefix: str) -> dict[str, str]:
    """Return the keys of an origin behind ``derived_from.`` (in GGUF ``pv.derived_from.``), all text."""
    options = json.dumps(origin.options, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return {f"{prefix}sha256": origin.sha256, f"{prefix}tool": origin.tool, f"{prefix}options": options}


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
