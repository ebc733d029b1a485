"""Files at a URL that are written once, whole, and never again."""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pv.errors import ConfigError, PvError
from pv.whole_file import flush_folder, make_folder

__all__ = ["Objects", "StoreError"]

_PUTS_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "memory", "abfs", "abfss", "az", "oci"})
"""Protocols at which an object is there whole or not at all; elsewhere a file is renamed when it is whole."""
_AT_ONCE = 256
_PASSWORD = re.compile(r"(//[^/@:]*):[^/@]*@")


class StoreError(PvError):
    """A store cannot be reached, or does not do what was asked of it."""


class Objects:
    """A folder at a URL of fsspec; names are relative to it."""

    def __init__(self, url: str) -> None:
        try:
            import fsspec
        except ImportError as error:
            raise ConfigError(
                "a store needs fsspec, which is not installed", remedy="pip install 'pv[store]'"
            ) from error
        self.shown = _PASSWORD.sub(r"\1:***@", url)
        """The URL, without a password."""
        try:
            # Others write meanwhile: a listing that is kept would hide it.
            self._files, path = fsspec.core.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        except (ImportError, ValueError, TypeError) as error:
            raise ConfigError(
                f"the store {self.shown} cannot be opened: {error}", remedy=_remedy(error)
            ) from error
        self._root = str(path).rstrip("/")
        protocol = self._files.protocol
        self._protocols = {protocol} if isinstance(protocol, str) else set(protocol)

    def put(self, name: str, data: bytes) -> bool:
        """Write `name`, whole or not at all; return False where it is there already, whatever it holds.

        Raises
        ------
        StoreError
            It cannot be written.
        """
        with self._told(f"{name} cannot be written"):
            path = f"{self._root}/{name}"
            if self._files.exists(path):
                if "file" in self._protocols:
                    flush_folder(Path(path).parent)  # whoever wrote it may have been killed before that
                return False
            if "file" in self._protocols:
                return _link_in(Path(path), data)
            if self._protocols & _PUTS_WHOLE:
                self._files.pipe_file(path, data)
                return True
            partial = f"{self._root}/.partial-{uuid.uuid4().hex}"
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(partial, data)
            self._files.mv(partial, path)
            return True

    def get(self, name: str) -> bytes | None:
        """Return the bytes of `name`; None where there is none.

        Raises
        ------
        StoreError
            It cannot be read.
        """
        with self._told(f"{name} cannot be read"):
            try:
                return bytes(self._files.cat_file(f"{self._root}/{name}"))
            except FileNotFoundError:
                return None

    def get_all(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the bytes of each of `names` that is there; many at a time where the protocol can.

        Raises
        ------
        StoreError
            One cannot be read.
        """
        for start in range(0, len(names), _AT_ONCE):
            part = {f"{self._root}/{name}": name for name in names[start : start + _AT_ONCE]}
            with self._told("it cannot be read"):
                answers = self._files.cat([*part], on_error="return")
                for answer in answers.values():
                    if isinstance(answer, Exception) and not isinstance(answer, FileNotFoundError):
                        raise answer
            for path, name in part.items():
                data = answers.get(path)
                if isinstance(data, bytes):
                    yield name, data

    def names(self, folder: str) -> list[str]:
        """Return the names of all files below `folder`, sorted.

        Raises
        ------
        StoreError
            They cannot be listed.
        """
        with self._told(f"{folder} cannot be listed"):
            self._files.invalidate_cache()
            try:
                found = self._files.find(f"{self._root}/{folder}")
            except FileNotFoundError:
                return []
        start = len(self._root) + 1
        return sorted(name for path in found if not _hidden(name := str(path)[start:]))

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # Each backend raises errors of its own, which share no base.
            why = str(error) or type(error).__name__
            raise StoreError(
                f"{self.shown}: {what}: {why.splitlines()[0]}",
                remedy="see that the URL and its credentials are right",
            ) from error


def _hidden(name: str) -> bool:
    return name.rpartition("/")[2].startswith(".")


def _link_in(path: Path, data: bytes) -> bool:
    """Write a local file that appears whole; False where another process was first."""
    make_folder(path.parent)
    partial = path.with_name(f".partial-{uuid.uuid4().hex}")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(partial)
        except FileExistsError:
            return False
        except OSError:
            partial.replace(path)  # a file system without links; what it replaces has the same bytes
    finally:
        partial.unlink(missing_ok=True)
    flush_folder(path.parent)
    return True


def _remedy(error: Any) -> str:
    return (
        "install what speaks it: pip install s3fs, gcsfs, ..."
        if isinstance(error, ImportError)
        else ("write file:///folder, s3://bucket/prefix, gs://bucket/prefix")
    )
