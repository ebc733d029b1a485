"""What a run measures as it goes: one JSON object a line, flushed before the next step begins.

``kind`` is ``"step"`` or ``"validation"``. A line that a kill cut short is no line, and a run that is taken
up again leaves out what came after its checkpoint, for those steps are done anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pv_runtime.formats.writing import writing

__all__ = ["FILE", "Metrics", "read_metrics"]

FILE = "metrics.jsonl"


class Metrics:
    """Appends to the file.

    Parameters
    ----------
    folder
        The run's.
    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / FILE).open("a", encoding="utf-8")

    def write(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        """Add one line and flush it; `step` counts the steps that were done.

        Raises
        ------
        ValueError
            A value is NaN or infinite.
        """
        self._file.write(json.dumps({"kind": kind, "step": step, **values}, allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @staticmethod
    def cut(folder: Path, step: int) -> None:
        """Drop the lines of steps after `step`, and one that was cut short."""
        kept = [line for line in read_metrics(folder) if line["step"] <= step]
        with writing(folder / FILE) as file:
            file.writelines(f"{json.dumps(line)}\n".encode() for line in kept)


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return the lines, in order; none where there is no file."""
    file = folder / FILE
    if not file.is_file():
        return []
    found = []
    for line in file.read_bytes().split(b"\n")[:-1]:  # what follows the last line end is no line yet
        if b"\0" in line:
            break  # a loss of power left its length and not its bytes; what follows was not flushed, either
        found.append(json.loads(line))
    return found
