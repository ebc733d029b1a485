"""The program, as it is started: what a hit needs, and that it ends as the run did that it stands for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pv.result_cache.conftest import ROOT

GOOD = ROOT / "tests/pv/rules/resources/SCHEMA-001.good.yaml"
BAD = ROOT / "tests/pv/rules/resources/SCHEMA-001.bad.yaml"
NOT_NEEDED = {
    "yaml",
    "pydantic",
    "pydantic_core",
    "argparse",
    "json",
    "typing_extensions",
    "pathlib",
    "hashlib",
}
LOADED = """
import atexit, sys
atexit.register(lambda: print("\\n".join(sorted(sys.modules)), file=open(sys.argv[1], "w")))
words = sys.argv[2:]
found, sys.argv = sys.argv, ["pv", *words]
atexit.register(lambda: setattr(sys, "argv", found))
from pv.start import main
sys.exit(main())
"""


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    kept = {n: v for n, v in os.environ.items() if n not in {"CI", "PV_NO_CACHE"}}
    return kept | {"XDG_CACHE_HOME": str(tmp_path / "caches"), "PYTHONPATH": str(ROOT)}


def run(folder: Path, variables: dict[str, str], *words: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-P", *words], cwd=folder, env=variables, capture_output=True, check=False
    )


def test_a_hit_imports_neither_a_parser_of_contracts_nor_one_of_the_command_line(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    seen = []
    (tmp_path / "here").mkdir()
    for name in ("cold", "warm"):
        said = run(tmp_path / "here", variables, "-c", LOADED, tmp_path / name, "validate", GOOD)
        assert said.returncode == 0, said.stderr
        seen.append({*(tmp_path / name).read_text(encoding="utf-8").split()})
    cold, warm = seen
    assert cold >= {"yaml", "argparse", "pv.contract"}
    assert {"pv.start", "pv.result_cache.entry"} <= warm
    started = {*run(tmp_path, variables, "-c", "import sys; print(*sys.modules)").stdout.decode().split()}
    assert not (warm - started) & NOT_NEEDED
    assert {name for name in warm if name.startswith("pv.") and not name.startswith("pv.result_cache")} == {
        "pv.standard_streams",
        "pv.start",
    }


SHELL = {
    "closed output": "{pv} >&-",
    "closed error": "{pv} 2>&-",
    "closed both": "{pv} >&- 2>&-",
    "a reader that goes away": "{pv} | true; exit ${{PIPESTATUS[0]}}",
    "a full disk": "{pv} >/dev/full",
    "one for both": "{pv} 2>&1",
    "another encoding": "PYTHONIOENCODING=ascii {pv}",
    "another encoding, and its way": "PYTHONIOENCODING=ascii:backslashreplace {pv}",
}


@pytest.mark.parametrize("how", SHELL)
def test_it_ends_as_without_the_cache_whatever_becomes_of_its_output(
    tmp_path: Path, variables: dict[str, str], how: str
) -> None:
    (tmp_path / "here").mkdir()
    program = f"{sys.executable} -P -m pv validate"

    def shell(words: str) -> tuple[int, bytes, bytes]:
        done = subprocess.run(
            ["bash", "-c", SHELL[how].format(pv=f"{program} {words} {BAD}")],
            cwd=tmp_path / "here", env=variables, capture_output=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    truth = shell("--no-cache")
    run(tmp_path / "here", variables, "-m", "pv", "validate", BAD)
    assert len([*(tmp_path / "caches/pv/results").iterdir()]) == 1
    assert shell("") == truth
    assert shell("") == truth


def test_the_installed_program_and_the_module_are_one() -> None:
    assert 'pv = "pv.start:main"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "from pv.start import main" in (ROOT / "pv/__main__.py").read_text(encoding="utf-8")
