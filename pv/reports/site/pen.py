"""Renders the pages of a site and writes them, on as many processors as there are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from pv import __version__
from pv.evidence import Record
from pv.evidence_files import ENVELOPE_SUFFIX, SIDECAR_SUFFIX
from pv.printable import printable
from pv.reports.site.falsifier_page import falsifier_context, past_of
from pv.reports.site.pages import falsifier_link, record_link
from pv.reports.site.source import Source
from pv.reports.site.templates import Render

__all__ = ["FEW", "Done", "Pen"]

Done: TypeAlias = dict[str, tuple[str, list[tuple[str, str]]]]
"""Address → since when its status holds, and the link and path of each of its records."""
FEW = 1000
"""So many falsifiers are not worth a second process."""


class Pen:
    """Renders pages of one site, and writes them."""

    def __init__(self, site: Path, source: Source, render: Render) -> None:
        self.site, self.source, self.render = site, source, render
        self.common = {
            "version": __version__,
            "made": source.today.isoformat(),
            "commit": source.commit[:12],
        }

    def write(self, template: str, name: str, told: Mapping[str, Any]) -> None:
        """Render one page; `name` is its place below the folder of the site."""
        root = "../" * name.count("/")
        text = self.render(template, {"root": root, **self.common, **told})
        # All at once: to ask of each of a hundred texts of a page takes longer than to render it.
        if not text.replace("\n", "").isprintable():
            text = "\n".join(printable(line) for line in text.split("\n"))
        # Not Path.write_text: there are thousands of pages.
        with open(os.path.join(self.site, name), "w", encoding="utf-8", newline="") as file:  # noqa: PTH118, PTH123
            file.write(text)

    def falsifiers(self, addresses: Sequence[str]) -> Done:
        """Write the pages of these falsifiers, and put their records beside them."""
        done: Done = {}
        for address in addresses:
            row = self.source.rows[address]
            past = past_of(row, self.source)
            told = falsifier_context(row, past, self.source)
            self.write("falsifier.html", falsifier_link(address), told)
            _copy(self.site, address, past.records)
            done[address] = past.since, told["records"]
        return done

    def all_falsifiers(self) -> Done:
        """Write the pages of all falsifiers, by several processes where that helps."""
        addresses = list(self.source.rows)
        processors = len(os.sched_getaffinity(0))
        if len(addresses) <= FEW or processors == 1:
            return self.falsifiers(addresses)
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        size = -(-len(addresses) // (processors * 8))
        parts = [addresses[start : start + size] for start in range(0, len(addresses), size)]
        # Forks have what was read and derived already: nothing of it is sent.
        fork = multiprocessing.get_context("fork")
        done: Done = {}
        with ProcessPoolExecutor(processors, fork, initializer=_held.append, initargs=(self,)) as pool:
            for part in pool.map(_write_part, parts):
                done |= part
        return done


_held: list[Pen] = []
"""Of a fork: the pen that it has inherited."""


def _write_part(addresses: Sequence[str]) -> Done:
    return _held[-1].falsifiers(addresses)


def _copy(site: Path, address: str, records: Sequence[Record]) -> None:
    """Put the records of a falsifier, and the series and signatures beside them, where its page links to."""
    if not records:
        return
    named = {record.path.name for record in records}
    for entry in os.scandir(records[0].path.parent):
        if entry.name in named or entry.name.endswith((SIDECAR_SUFFIX, ENVELOPE_SUFFIX)):
            target = os.path.join(site, record_link(address, entry.name))  # noqa: PTH118 -- as above
            try:
                # A record is only ever replaced, never written into, so that a link keeps what it had.
                os.link(entry.path, target)
            except OSError:
                shutil.copyfile(entry.path, target)
