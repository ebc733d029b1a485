"""``pv report --html``: a static site of what evidence supports, a page a falsifier.

No network, no framework: the pages, one style sheet and one script, which only filters, sorts and copies. All
text is escaped by the templates, and what would not print is shown as an escape. Needs jinja2 (``pv[site]``).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv import __version__
from pv.errors import ConfigError
from pv.evidence import Record
from pv.printable import printable
from pv.reports.site.contract_page import contract_context
from pv.reports.site.falsifier_page import falsifier_context, past_of
from pv.reports.site.index import index_context
from pv.reports.site.investigations import investigations_context
from pv.reports.site.pages import contract_link, falsifier_link
from pv.reports.site.source import Source

if TYPE_CHECKING:
    from jinja2 import Environment, Template

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
    for name in ("f", "c"):
        (site / name).mkdir()
    (site / MARKER).write_text("1\n", encoding="ascii")
    for name in _COPIED:
        (site / name).write_bytes((_files() / name).read_bytes())
    common = {"version": __version__, "made": source.today.isoformat(), "commit": source.commit[:12]}

    def writer(template: str, root: str) -> Callable[[str, Mapping[str, Any]], None]:
        page: Template = environment.get_template(template)

        def write(name: str, told: Mapping[str, Any]) -> None:
            text = page.render({"root": root, **common, **told})
            # Not Path.write_text: there are thousands of pages.
            with open(os.path.join(site, name), "w", encoding="utf-8", newline="") as file:  # noqa: PTH118, PTH123
                file.write(text)

        return write

    days: dict[str, str] = {}
    write = writer("falsifier.html", "../")
    for address, row in source.rows.items():
        past = past_of(row, source)
        days[address] = past.since
        write(falsifier_link(address), falsifier_context(row, past, source))
        _copy(past.records, site / "records")
    write = writer("contract.html", "../")
    for stem in source.groups:
        write(contract_link(stem), contract_context(stem, source, days))
    writer("index.html", "")("index.html", index_context(source, days))
    writer("investigations.html", "")("investigations.html", investigations_context(source))
    writer("about.html", "")("about.html", {})
    return len(source.rows) + len(source.groups) + 3


def _copy(records: Iterable[Record], folder: Path) -> None:
    """Put the records of a falsifier, and the series that lie beside them, where its page links to."""
    named = {record.path.name: record.path.parent for record in records}
    if not named:
        return
    target = os.path.join(folder, *next(iter(named.values())).parts[-2:])  # noqa: PTH118
    os.makedirs(target)  # noqa: PTH103
    for entry in os.scandir(next(iter(named.values()))):
        if entry.name in named or entry.name.endswith(".series.json"):
            shutil.copyfile(entry.path, os.path.join(target, entry.name))  # noqa: PTH118


def _files() -> Traversable:
    return resources.files("pv.reports.site") / "files"


def _environment(source: Source) -> Environment:
    try:
        import jinja2
        import markupsafe
    except ImportError as error:
        raise ConfigError(
            "pv report --html needs jinja2, which is not installed", remedy="pip install 'pv[site]'"
        ) from error

    def shown(value: object) -> object:
        return value if isinstance(value, (markupsafe.Markup, jinja2.Undefined)) else printable(str(value))

    loader = jinja2.FunctionLoader(lambda name: (_files() / name).read_text(encoding="utf-8"))
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=shown,
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
