"""``pv report --html``: a static site of what evidence supports, a page a falsifier.

No network, no framework: the pages, one style sheet and one script, which only filters, sorts and copies. All
text is escaped by the templates, and what would not print is shown as an escape. Needs jinja2 (``pv[site]``).
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from pv.errors import ConfigError
from pv.reports.site.contract_page import contract_context
from pv.reports.site.index import index_context
from pv.reports.site.investigations import investigations_context
from pv.reports.site.pages import contract_link
from pv.reports.site.pen import Pen
from pv.reports.site.source import Source
from pv.reports.site.templates import Render, load_templates, site_files
from pv.whole_folder import replace_folder

__all__ = ["MARKER", "write_site"]

MARKER = ".pv-site"
"""A folder with this file is a site of ours, and may be replaced."""
_COPIED = ("style.css", "site.js", "icon.svg")


def write_site(folder: Path, source: Source) -> int:
    """Write the site to `folder` as a whole, and return the number of its pages.

    Raises
    ------
    ConfigError
        jinja2 is not installed, or the folder holds something else.
    OSError
        It cannot be written.
    """
    render = load_templates(source)
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
        pages = _write(site, source, render)
        site.chmod(0o755)
        replace_folder(site, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return pages


def _write(site: Path, source: Source, render: Render) -> int:
    for name in ("f", "c", "records"):
        (site / name).mkdir()
    (site / MARKER).write_text("1\n", encoding="ascii")
    for name in _COPIED:
        (site / name).write_bytes((site_files() / name).read_bytes())
    pen = Pen(site, source, render)
    done = pen.all_falsifiers()
    days = {address: since for address, (since, _) in done.items()}
    records = {path: link for _, listed in done.values() for link, path in listed}
    for stem in source.groups:
        pen.write("contract.html", contract_link(stem), contract_context(stem, source, days))
    pen.write("index.html", "index.html", index_context(source, days))
    pen.write("investigations.html", "investigations.html", investigations_context(source, records))
    pen.write("about.html", "about.html", {})
    return len(source.rows) + len(source.groups) + 3
