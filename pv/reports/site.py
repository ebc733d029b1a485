"""``pv report --html``: a static site of what evidence supports, a page a falsifier.

No network, no framework: the pages, one style sheet and one script, which only filters. All text is escaped
by the templates, and what would not print is shown as an escape. Needs jinja2 (``pv[site]``).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv import __version__
from pv.config import Config
from pv.errors import ConfigError
from pv.printable import printable
from pv.reports.gathering import result_of_row
from pv.reports.model import Result
from pv.reports.status import StatusReport
from pv.status import contract_status
from pv.tally import NO_MODEL, Row, by_contract, next_step, tally
from pv.waivers import Waiver

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["page_name", "write_site"]

MARKER = ".pv-site"
"""A folder with this file is a site of ours, and may be replaced."""
_COPIED = ("style.css", "site.js")
_SOON = dt.timedelta(days=14)


def write_site(
    folder: Path,
    report: StatusReport,
    waivers: Sequence[Waiver],
    config: Config,
    today: dt.date,
    commit: str = "",
) -> int:
    """Write the site to `folder` as a whole, and return the number of its pages.

    `today` is the UTC date by which waivers expire, `commit` the revision that the statuses are of.

    Raises
    ------
    ConfigError
        jinja2 is not installed, or the folder holds something else.
    OSError
        It cannot be written.
    """
    environment = _environment()
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
        (site / "f").mkdir(parents=True)
        (site / MARKER).write_text("1\n", encoding="ascii")
        for name in _COPIED:
            (site / name).write_bytes((_files() / name).read_bytes())
        common = {"version": __version__, "made": today.isoformat(), "commit": commit[:12]}
        results = {row.address: result_of_row(row, config, _note(report, row)) for row in report.rows}
        index = environment.get_template("index.html").render(
            **_index(report, results), waivers=list(_waivers(waivers, today)), root="", **common
        )
        (site / "index.html").write_text(index, encoding="utf-8")
        page = environment.get_template("falsifier.html")
        for row in report.rows:
            told = {"result": results[row.address], **_whole(row, report, config), **common}
            (site / "f" / page_name(row.address)).write_text(
                page.render(root="../", **told), encoding="utf-8"
            )
        _put(site, folder, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return len(report.rows) + 1


def page_name(address: str) -> str:
    """Return the name of a falsifier's page: its address, made safe for files and links."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", address)[:120]
    # Two addresses must not share a page, whatever was taken from them, and on whatever file system.
    return f"{plain}-{hashlib.sha256(address.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}.html"


def _files() -> Traversable:
    return resources.files("pv.reports") / "site_files"


def _environment() -> Environment:
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
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, finalize=shown
    )


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


def _note(report: StatusReport, row: Row) -> str:
    return report.waived.get(row.address, "")


def _index(report: StatusReport, results: Mapping[str, Result]) -> dict[str, Any]:
    groups = [
        {
            "stem": stem,
            "status": contract_status((row.falsifier, row.status) for row in rows),
            "rows": [_short(row, results[row.address]) for row in rows],
        }
        for stem, rows in by_contract(report.rows).items()
    ]
    models = [
        {
            "name": model.model or NO_MODEL,
            "total": model.total,
            "discharged": model.discharged,
            "share": "NOT GATED" if model.percent is None else f"{model.percent} %",
        }
        for model in report.models
    ]
    return {"tally": list(tally(report.rows).items()), "models": models, "groups": groups}


def _waivers(waivers: Sequence[Waiver], today: dt.date) -> Iterator[dict[str, Any]]:
    for waiver in sorted(waivers, key=lambda one: one.expires):
        left = waiver.expires - today
        soon = "expired" if left <= dt.timedelta() else "soon" if left <= _SOON else ""
        yield {
            "address": waiver.address,
            "expires": waiver.expires.isoformat(),
            "approver": waiver.approver,
            "reason": waiver.reason,
            "soon": soon,
        }


def _short(row: Row, result: Result) -> dict[str, Any]:
    rule = " ".join(row.falsifier.rule.split())
    return {
        "id": row.falsifier.id,
        "href": f"f/{page_name(row.address)}",
        "status": row.status.name,
        "waived": bool(result.waived),
        "level": result.level,
        "margin": result.margin,
        # The page of the falsifier has all of it; the index is to stay small.
        "rule": rule if len(rule) <= 100 else f"{rule[:100]}...",
    }


def _whole(row: Row, report: StatusReport, config: Config) -> dict[str, Any]:
    records = row.status.records
    last: Mapping[str, Any] = records[-1].predicate if records else {}
    plants: Mapping[str, Any] = next(
        (r.predicate["counter_examples"] for r in records if r.predicate.get("counter_examples")), {}
    )
    return {
        "falsifier": row.falsifier,
        "model": row.model,
        "waiting": report.waiting(row),
        "step": next_step(row, config),
        "started": str(last.get("run", {}).get("started_at", "")),
        "plants": [(name, plant["of"], plant["caught"]) for name, plant in plants.items()],
    }
