"""A publish manifest: the address, size and digest of a file that is published."""

from __future__ import annotations

import json
from pathlib import Path

from pv_runtime.formats.writing import writing
from pv_runtime.provenance import file_sha256

__all__ = ["manifest"]


def manifest(source: str, output: str, *, url: str) -> None:
    """Write the manifest of the file `source`, which is published at `url`, as JSON.

    The text is an object with the key ``files``, a list of objects with ``name``, ``url``, ``size``
    (bytes) and ``sha256`` (64 lower-case hexadecimal digits).
    """
    file = Path(source)
    entry = {"name": url.rsplit("/", 1)[-1], "url": url, "size": file.stat().st_size}
    text = json.dumps({"files": [{**entry, "sha256": file_sha256(source)}]}, indent=2, sort_keys=True)
    with writing(output) as out:
        out.write(f"{text}\n".encode())
