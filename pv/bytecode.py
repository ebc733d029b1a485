"""Which bytecode is believed: that of what is installed, and never that of the project.

Cached bytecode is matched by size and whole seconds only: after a quick edit, the code that runs would not
be the code whose digest is recorded. What is installed is not edited, and compiling pytest and its plugins
takes half a second, for every run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path

__all__ = ["distrust_bytecode"]


class _Loader(SourceFileLoader):
    """Looks for the bytecode of what lies in `installed` where Python does when nothing is distrusted."""

    installed: tuple[str, ...] = ()

    def get_data(self, path: str) -> bytes:
        """Return the bytes of the source, or of the bytecode, which Python believes is below the prefix."""
        prefix = sys.pycache_prefix
        if prefix is not None and path.startswith(prefix + os.sep) and self._is_installed():
            path = str(Path(self.path).parent / "__pycache__" / Path(path).name)
        return super().get_data(path)

    def _is_installed(self) -> bool:
        # A link in site-packages may lead into the project.
        return os.path.realpath(self.path).startswith(self.installed)


def distrust_bytecode(scratch: str, installed: Iterable[str]) -> None:
    """Compile from here on what is imported, from its source; but not what lies in the folders `installed`.

    `scratch` is an empty folder, in which Python looks for the bytecode of all else. None is written. There
    is no way back: this is for a process that ends soon.
    """
    sys.pycache_prefix = scratch
    sys.dont_write_bytecode = True
    _Loader.installed = tuple(os.path.realpath(folder) + os.sep for folder in installed)
    finder = FileFinder.path_hook(
        (ExtensionFileLoader, EXTENSION_SUFFIXES),
        (_Loader, SOURCE_SUFFIXES),
        (SourcelessFileLoader, BYTECODE_SUFFIXES),
    )
    sys.path_hooks.insert(0, finder)
    sys.path_importer_cache.clear()
