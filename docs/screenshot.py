"""Take docs/site.png: the site of this project's own evidence, in a browser (Debian's chromium).

The site is written and looked at for real. With ``--dark``, in the dark.

python -m docs.screenshot      needs playwright and chromium: make services installs them
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "site.png"
MOST_BYTES = 200_000
WIDTH, HEIGHT = 1200, 1000
OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def take(site: Path, picture: Path, *, dark: bool) -> None:
    """Look at the first page of `site`."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("chromium is not installed: apt-get install chromium")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=OPTIONS)
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark" if dark else "light"
        )
        page.goto((site / "index.html").as_uri())
        page.screenshot(path=picture)
        browser.close()


def main() -> None:
    """Write the site, and take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        # What is fresh is not run again; the page then has a sweep to tell of.
        sweep = [sys.executable, "-m", "pv", "sweep", "--allow-declined"]
        subprocess.run(sweep, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        site = Path(folder) / "site"
        subprocess.run([sys.executable, "-m", "pv", "report", "--html", str(site)], cwd=ROOT, check=True)
        taken = Path(folder) / "site.png"
        take(site, taken, dark="--dark" in sys.argv[1:])
        if (size := taken.stat().st_size) > MOST_BYTES:
            raise SystemExit(f"the picture has {size} bytes, which is more than {MOST_BYTES}")
        shutil.copyfile(taken, PICTURE)


if __name__ == "__main__":
    main()
