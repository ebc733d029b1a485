"""What the commands that write files share: what they read, where they may write, and what they note."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pv_runtime.errors import printable

if TYPE_CHECKING:
    from pv_runtime.formats.checkpoint import Checkpoint

__all__ = ["FORMATS", "form_of", "print_interpreted", "print_notes", "refusal", "require", "show"]

FORMATS = ("gguf", "safetensors", "apr")
"""The formats that are written, which are the endings of their files, too."""


def require(path: str) -> None:
    """Refuse a `path` that is not there.

    Raises
    ------
    FileNotFoundError
        There is neither file, folder nor link.
    """
    if not os.path.lexists(path):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def print_notes(model: Checkpoint, notes: Iterable[str]) -> None:
    """Print on stderr what is worth knowing of how `model` was written."""
    for note in notes:
        print(f"note: {printable(model.path)}: {printable(note)}", file=sys.stderr)


def print_interpreted() -> None:
    """Say on stderr that a run of our kernels is no word about their speed."""
    print(
        "note: without --device cuda, Triton's interpreter runs the kernels: values only, and slowly",
        file=sys.stderr,
    )


def form_of(path: str) -> str | None:
    """Return the format that the name `path` asks for by its end; None where it asks for none."""
    return next((form for form in FORMATS if path.endswith(f".{form}")), None)


def show(text: str) -> None:
    """Print `text`; whoever reads it may go away, and what the command has found stands all the same."""
    try:
        print(text, flush=True)
    except BrokenPipeError:  # nothing more may be written at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refusal(path: str, *, force: bool, folder: bool = False, form: str | None = None) -> str | None:
    """Say why nothing may be written to `path`, and what to do; None where it may.

    Parameters
    ----------
    path
        A file, or with `folder` a folder, that need not be there.
    force
        Whether what is there is to be replaced.
    folder
        Whether a folder will be written.
    form
        The format that will be written, where the name must not end in that of another.
    """
    name, parent = printable(path), os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    if not path or (path.endswith("/") and not folder):
        return f"error: {name!r}: is no name of a file\n    name one"
    if form is not None and form_of(path) not in {None, form}:
        return f"error: {name}: is no name for {form}\n    name a file that ends in .{form}"
    if not os.path.isdir(parent):  # noqa: PTH112
        return f"error: {name}: there is no folder {printable(parent)}\n    make it first"
    if os.path.isdir(path) and not folder:  # noqa: PTH112
        return f"error: {name}: is a folder, and a file is to be written\n    name a file in it"
    if os.path.exists(path) and not os.path.isfile(path) and not folder:  # noqa: PTH110, PTH113
        return f"error: {name}: is no regular file, and is never replaced\n    name another output"
    if os.path.lexists(path) and not force:
        return f"error: {name}: is there already\n    name another output, or replace it with --force"
    return None
