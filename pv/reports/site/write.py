"""``pv report --html``: a static site of what evidence supports, a page a falsifier.

No network, no framework: the pages, one style sheet and one script, which only filters, sorts and copies. All
text is escaped by the templates, and what would not print is shown as an escape. Needs jinja2 (``pv[site]``).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pv import __version__
from pv.errors import ConfigError
from pv.evidence import Record
from pv.printable import printable
from pv.reports.site.contract_page import contract_context
from pv.reports.site.falsifier_page import falsifier_context, past_of
from pv.reports.site.index import index_context
from pv.reports.site.investigations import investigations_context
from pv.reports.site.pages import contract_link, falsifier_link, record_link
from pv.reports.site.source import Source

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["MARKER", "write_site"]

MARKER = ".pv-site"
"""A folder with this file is a site of ours, and may be replaced."""
_COPIED = ("style.css", "site.js")


def write_site(folder: Path, source: Source) -> int:
    """Write the site to `folder` as a whole, and return the number of its pages.

    Raises
    ------
    ConfigError
        jinja2 is not installed, or the folder holds something else.
    OSError
        It cannot be written.
    """
    environment = _environment(source)
    folder = folder.resolve()
    if folder.exists() and not (
        folder.is_dir() and ((folder / MARKER).is_file() or not any(folder.iterdir()))
    ):
        raise ConfigError(
            f"{folder} is there already, and is no site of pv", remedy="name an empty or a new folder"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        site = work / "site"
        site.mkdir()
        pages = _write(site, source, environment)
        _put(site, folder, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return pages


def _write(site: Path, source: Source, environment: Environment) -> int:
    for name in ("f", "c", "records"):
        (site / name).mkdir()
    (site / MARKER).write_text("1\n", encoding="ascii")
    for name in _COPIED:
        (site / name).write_bytes((_files() / name).read_bytes())
    pen = _Pen(site, source, environment)
    done = dict(share for part in _shared_out(list(source.rows), pen) for share in part.items())
    days = {address: since for address, (since, _) in done.items()}
    records = {path: link for _, listed in done.values() for link, path in listed}
    for stem in source.groups:
        pen.write("contract.html", contract_link(stem), contract_context(stem, source, days))
    pen.write("index.html", "index.html", index_context(source, days))
    pen.write("investigations.html", "investigations.html", investigations_context(source, records))
    pen.write("about.html", "about.html", {})
    return len(source.rows) + len(source.groups) + 3


class _Pen:
    """Renders pages of one site, and writes them."""

    def __init__(self, site: Path, source: Source, environment: Environment) -> None:
        self.site, self.source, self.environment = site, source, environment
        self.common = {
            "version": __version__,
            "made": source.today.isoformat(),
            "commit": source.commit[:12],
        }

    def write(self, template: str, name: str, told: Mapping[str, Any]) -> None:
        """Render one page; `name` is its place below the folder of the site."""
        root = "../" * name.count("/")
        text = self.environment.get_template(template).render({"root": root, **self.common, **told})
        # All at once: to ask of each of a hundred texts of a page takes longer than to render it.
        if not text.replace("\n", "").isprintable():
            text = "\n".join(printable(line) for line in text.split("\n"))
        # Not Path.write_text: there are thousands of pages.
        with open(os.path.join(self.site, name), "w", encoding="utf-8", newline="") as file:  # noqa: PTH118, PTH123
            file.write(text)

    def falsifiers(self, addresses: Sequence[str]) -> _Done:
        """Write the pages of these falsifiers, and put their records beside them."""
        done: _Done = {}
        for address in addresses:
            row = self.source.rows[address]
            past = past_of(row, self.source)
            told = falsifier_context(row, past, self.source)
            self.write("falsifier.html", falsifier_link(address), told)
            _copy(self.site, address, past.records)
            done[address] = past.since, told["records"]
        return done


_Done: TypeAlias = dict[str, tuple[str, list[tuple[str, str]]]]
"""Address → since when its status holds, and the link and path of each of its records."""
_FEW = 1000
"""So many falsifiers are not worth a second process."""


def _shared_out(addresses: Sequence[str], pen: _Pen) -> Iterable[_Done]:
    """Write the pages of all falsifiers, on as many processors as there are."""
    processors = len(os.sched_getaffinity(0))
    if len(addresses) <= _FEW or processors == 1:
        return [pen.falsifiers(addresses)]
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    global _inherited
    _inherited = pen  # a fork has it already, and what was read and derived need not be sent
    size = -(-len(addresses) // (processors * 8))
    parts = [addresses[start : start + size] for start in range(0, len(addresses), size)]
    try:
        with ProcessPoolExecutor(processors, multiprocessing.get_context("fork")) as pool:
            return list(pool.map(_write_part, parts))
    finally:
        _inherited = None


_inherited: _Pen | None = None


def _write_part(addresses: Sequence[str]) -> _Done:
    assert _inherited is not None
    return _inherited.falsifiers(addresses)


def _copy(site: Path, address: str, records: Sequence[Record]) -> None:
    """Put the records of a falsifier, and the series that lie beside them, where its page links to."""
    if not records:
        return
    named = {record.path.name for record in records}
    for entry in os.scandir(records[0].path.parent):
        if entry.name in named or entry.name.endswith(".series.json"):
            target = os.path.join(site, record_link(address, entry.name))  # noqa: PTH118 -- as above
            try:
                # A record is only ever replaced, never written into, so that a link keeps what it had.
                os.link(entry.path, target)
            except OSError:
                shutil.copyfile(entry.path, target)


def _files() -> Traversable:
    return resources.files("pv.reports.site") / "files"


def _environment(source: Source) -> Environment:
    try:
        import jinja2
    except ImportError as error:
        raise ConfigError(
            "pv report --html needs jinja2, which is not installed", remedy="pip install 'pv[site]'"
        ) from error

    loader = jinja2.FunctionLoader(lambda name: (_files() / name).read_text(encoding="utf-8"))
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = lambda value: f"{value:.4g}" if isinstance(value, float) else value
    environment.globals["falsifier_link"] = lambda address: (
        falsifier_link(address) if address in source.rows else ""
    )
    environment.globals["contract_link"] = lambda stem: contract_link(stem) if stem in source.groups else ""
    return environment


def _put(site: Path, folder: Path, work: Path) -> None:
    """Move the new site to its place, and what was there out of the way; on failure, back."""
    site.chmod(0o755)
    old = work / "old"
    if folder.exists():
        folder.rename(old)
    try:
        site.rename(folder)
    except OSError:
        with contextlib.suppress(OSError):
            old.rename(folder)
        raise
