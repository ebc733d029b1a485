"""Builder of a shorter list of problems, for claims whose stand-in need not be asked all of them."""

from __future__ import annotations

from pathlib import Path

from pv_runtime.formats.writing import writing

__all__ = ["some_problems"]


def some_problems(source: str, output: str, *, every: int) -> None:
    """Write the first line of `source` and each that many after it, as they are.

    Raises
    ------
    ValueError
        `every` is less than 1.
    """
    if every < 1:
        raise ValueError(f"every is {every}; it must be 1 or more")
    lines = Path(source).read_bytes().splitlines(keepends=True)
    with writing(output) as out:
        out.write(b"".join(lines[::every]))
