"""Look whether a site is whole: every falsifier and contract has its page, and every link leads somewhere.

python -m docs.site_is_whole FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

from pv.config import load_config
from pv.reports.site.pages import contract_link, falsifier_link
from pv.selection import load_all

ROOT = Path(__file__).resolve().parents[1]
ALWAYS = ("index.html", "about.html", "investigations.html", "style.css", "site.js")


class Links(HTMLParser):
    """The links of a page, and the places in it that a link can name."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what the element names."""
        del tag
        given = dict(attrs)
        self.links += [link for name in ("href", "src") if (link := given.get(name))]
        self.places |= {place for place in [given.get("id")] if place}


def missing(folder: Path) -> Iterator[str]:
    """Yield what is missing in the site of this project in `folder`."""
    contracts = load_all(load_config(ROOT))
    wanted = [*ALWAYS, *(contract_link(one.stem) for one in contracts if one.falsifiers)]
    wanted += [falsifier_link(f"{one.stem}#{f.id}") for one in contracts for f in one.falsifiers]
    yield from (name for name in wanted if not (folder / name).is_file())
    pages = {path.relative_to(folder).as_posix(): Links(path) for path in sorted(folder.rglob("*.html"))}
    for name, page in pages.items():
        for link in page.links:
            target, place = urldefrag(urljoin(name, link))
            target = unquote(target)
            if not (folder / target).is_file():
                yield f"{link}, which {name} links to"
            elif place and target in pages and place not in pages[target].places:
                yield f"the place #{place} in {target}, which {name} links to"


def main() -> int:
    """Print what is missing; return the exit code."""
    found = list(missing(Path(sys.argv[1])))
    print(*(f"missing: {one}" for one in found), sep="\n" if found else "", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
