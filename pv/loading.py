"""Many contracts read at once; where there are hundreds, other processes parse some of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pv.contract import Contract
from pv.document import Document, load
from pv.errors import PvError
from pv.packed_document import pack_document, unpack_document
from pv.shared_work import share

__all__ = ["load_contracts"]


def load_contracts(paths: Sequence[Path]) -> Iterator[Contract | PvError]:
    """Yield of each of `paths`, in order, its contract, or what :func:`pv.contract.load_contract` raises."""
    # Imported late, as there.
    from pv.shape import build

    for read in share(
        len(paths),
        lambda number: _read(paths[number]),
        lambda read: None if isinstance(read, PvError) else pack_document(read),
        lambda number, packed: unpack_document(str(paths[number]), packed),
    ):
        if isinstance(read, PvError):
            yield read
            continue
        try:
            contract = build(read)
        except PvError as error:
            yield error
        else:
            yield contract


def _read(path: Path) -> Document | PvError:
    try:
        return load(path)
    except PvError as error:
        return error
