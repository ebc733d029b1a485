"""A publish manifest read as JSON, and the same saying something else, for counter-examples."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pv.check import CheckError
from pv_runtime.formats import FileBytes

__all__ = ["edited", "statements"]

_MOST = 1 << 20


def statements(manifest: FileBytes) -> dict[str, Any] | None:
    """Return what `manifest` says; None where it is no JSON object, or larger than a mebibyte."""
    if manifest.size > _MOST:
        return None
    try:
        said = json.loads(manifest.read(0, manifest.size).tobytes())
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def edited(manifest: FileBytes, change: Callable[[dict[str, Any]], object]) -> FileBytes:
    """Return the manifest with `change` made to what it says.

    Raises
    ------
    CheckError
        It says nothing.
    """
    said = statements(manifest)
    if said is None:
        raise CheckError(f"{manifest.path} states nothing to damage")
    change(said)
    return manifest.with_head(json.dumps(said).encode(), instead_of=manifest.size)
