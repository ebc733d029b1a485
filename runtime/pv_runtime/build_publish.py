"""Builder of a publish manifest that says all that is to be known of a published file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pv_runtime import summary
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.formats.writing import writing
from pv_runtime.origin import stated_origins
from pv_runtime.provenance import file_sha256

__all__ = ["main_type", "published_manifest"]


def published_manifest(
    source: str,
    output: str,
    *,
    url: str,
    said: Mapping[str, Any],
    provenance: Mapping[str, Any],
    parents: Sequence[Mapping[str, str]],
) -> None:
    """Write, as JSON, the manifest of the model file `source`, which is published at `url`.

    What can be measured is: ``format``, ``architecture``, ``quantization`` (the type of most of the
    matrices' elements) and of the one entry of ``files`` its ``name``, ``size`` in bytes and ``sha256``.
    ``provenance.parents`` are what the file's own record of origin names, the nearest first.

    Parameters
    ----------
    said
        ``model_id``, ``version``, ``license``, ``published_at`` and ``published_by``.
    provenance
        ``pipeline``, ``data_source``, ``data_license``, ``recipe`` and ``recipe_sha256``.
    parents
        What is to be known of each parent beside its digest: ``model_id`` and ``license``, and of the
        last one the ``address`` where it is documented.

    Raises
    ------
    LoadError
        The file cannot be read, or was made from fewer or more files than `parents`.
    """
    model = open_checkpoint(source)
    digests = stated_origins(model)
    if len(digests) != len(parents):
        raise LoadError(f"records {len(digests)} origins, and {len(parents)} are named", source)
    entry = {"name": url.rsplit("/", 1)[-1], "url": url, "size": Path(source).stat().st_size}
    manifest = {
        **said,
        "architecture": summary.architecture(model.metadata),
        "format": model.format,
        "quantization": main_type(model).lower(),
        "files": [{**entry, "sha256": file_sha256(source)}],
        "provenance": {
            **provenance,
            "parents": [{**named, "sha256": digest} for named, digest in zip(parents, digests, strict=True)],
        },
    }
    with writing(output) as out:
        out.write(f"{json.dumps(manifest, indent=2, sort_keys=True)}\n".encode())


def main_type(model: Checkpoint) -> str:
    """Return the type that most elements of the matrices are stored in.

    Raises
    ------
    LoadError
        There is no matrix.
    """
    elements: Counter[str] = Counter()
    for name in model.matrices():
        elements[model.info(name).dtype] += model.info(name).elements
    if not elements:
        raise LoadError("has no matrix", model.path)
    return elements.most_common(1)[0][0]
