from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import pytest

from docs.site_is_whole import ROOT, missing
from pv.cli import main


@pytest.mark.page
def test_the_site_of_this_project_is_whole_and_what_is_not_there_is_missed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site"
    if built := os.environ.get("SITE_OF_THIS_PROJECT"):  # `make docs` has just written it
        shutil.copytree(built, site)
    else:
        with contextlib.chdir(ROOT):
            assert main(["report", "--html", str(site)]) == 0
        assert "pages in" in capsys.readouterr().err
    assert list(missing(site)) == []
    gone = min((site / "f").iterdir())
    gone.unlink()
    max((site / "records").iterdir()).unlink()  # of another falsifier, whose page is still there
    told = "\n".join(missing(site))
    assert f"f/{gone.name}\n" in told
    assert "records/" in told
    index = site / "index.html"
    index.write_text(
        index.read_text(encoding="utf-8").replace('id="falsifiers"', 'id="other"'), encoding="utf-8"
    )
    assert "the place #falsifiers in index.html, which index.html links to" in list(missing(site))
