"""Whether a command may write where it was told to."""

from __future__ import annotations

import os

from pv_runtime.errors import printable

__all__ = ["refusal"]


def refusal(path: str, *, force: bool, folder: bool = False) -> str | None:
    """Say why nothing may be written to `path`, and what to do; None where it may.

    Parameters
    ----------
    path
        A file, or with `folder` a folder, that need not be there.
    force
        Whether what is there is to be replaced.
    folder
        Whether a folder will be written.
    """
    name, parent = printable(path), os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    if not os.path.isdir(parent):  # noqa: PTH112
        return f"error: {name}: there is no folder {printable(parent)}\n    make it first"
    if os.path.isdir(path) and not folder:  # noqa: PTH112
        return f"error: {name}: is a folder, and a file is to be written\n    name a file in it"
    if os.path.lexists(path) and not force:
        return f"error: {name}: is there already\n    name another output, or replace it with --force"
    return None
