"""The history of records that several hosts share: append-only, content-addressed, at any URL of fsspec.

::

    objects/<2 digits>/<sha256>             the bytes of a record or of a sidecar
    records/<contract>/<ID>/<sha256>.json   an entry: that there is such a record, and for which place
    signatures/<sha256>/<sha256>.json       an envelope with signatures of the record of the first digest

Nothing is ever overwritten, and no file is written by two hosts but with the same bytes; so pushes never
conflict. The entry is written last: until then the record is not there.
"""

from __future__ import annotations

from pv.store.store import Store, open_store

__all__ = ["Store", "open_store"]
