"""What the kernel says a run looked at, beside what the run itself noted: nothing is looked at unnoted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from pv.result_cache.entry import Entry, read_entry
from pv.result_cache.place import MARKS
from pv.result_cache.probes import ENTRIES
from tests.pv.conftest import CLAUSE, Project
from tests.pv.result_cache.conftest import ROOT

CORPUS = ROOT.parent / "shared" / "corpus"
STRACE = shutil.which("strace")
CALLS = "trace=%file,getdents64"
CALL = re.compile(r'^(?:\[pid +\d+\] |\d+ +)?(?P<name>\w+)\((?:AT_FDCWD, )?"(?P<path>(?:[^"\\]|\\.)*)"')
ESCAPE = re.compile(r"\\([0-7]{1,3}|.)")
SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "f": "\f"}
INTERPRETER = tuple(
    {
        *(os.path.realpath(place) + "/" for place in (sys.prefix, sys.base_prefix)),
        *(f"{place}/" for place in (sys.prefix, sys.base_prefix, sysconfig.get_path("purelib"))),
        *(f"{entry}/" for entry in sys.path if "site-packages" in entry),
        *("/etc/ld.so", "/lib/", "/lib64/", "/usr/lib/", "/usr/local/lib/", "/proc/", "/sys/", "/dev/"),
        *("/usr/share/locale", "/usr/share/zoneinfo", "/etc/localtime"),
    }
)
"""What the interpreter itself reads: the key and the stamps of modules have it."""


def probed(folder: Path, caches: Path, *words: str) -> set[str]:
    """Return every path that a program of Python asked the kernel about, absolute, and as it was asked."""
    assert STRACE is not None
    caches.parent.mkdir(exist_ok=True)
    trace = caches.with_name("trace")
    kept = {n: v for n, v in os.environ.items() if n not in {"CI", "PV_NO_CACHE", "PYTHONPYCACHEPREFIX"}}
    done = subprocess.run(
        [
            STRACE,
            "-f",
            "-qq",
            "-s",
            "5000",
            "-e",
            CALLS,
            "-o",
            trace,
            sys.executable,
            "-P",
            *words,
        ],
        cwd=folder,
        env=kept | {"XDG_CACHE_HOME": str(caches), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    lines = trace.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    assert not [line for line in lines if " execve(" in line][1:], "it started a program"
    found = {ESCAPE.sub(unescaped, match["path"]) for line in lines if (match := CALL.match(line))}
    return {os.path.join(folder, path) for path in found}  # noqa: PTH118  a path with dots stays as it is


def unescaped(match: re.Match[str]) -> str:
    text = match[1]
    return chr(int(text, 8)) if text[0] in "01234567" else SIMPLE.get(text, text)


def noted(entry: Entry, folder: Path) -> tuple[set[str], set[str], set[str]]:
    """Return what a run noted: paths, those of them that are not there, and folders that were listed."""
    paths, absent, listed = set(), set(), set()
    for (kind, name), then in entry.found:
        path = os.path.join(folder, os.fsdecode(name))  # noqa: PTH118
        paths.add(path)
        if then == b"errno 2":
            absent.add(path)
        if kind == ENTRIES:
            listed.add(path)
    return paths, absent, listed


def run(folder: Path, caches: Path, *words: str) -> tuple[set[str], Entry]:
    """Run ``pv``; return what it asked the kernel about and Python alone does not, and what it remembered."""
    asked = probed(folder, caches, "-m", "pv", *words) - probed(folder, caches, "-c", "pass")
    (file,) = (caches / "pv" / "results").glob("[!.]*")
    entry = read_entry(str(file))
    assert entry is not None
    return asked, entry


def unnoted(folder: Path, caches: Path, asked: set[str], entry: Entry) -> Iterator[str]:
    paths, absent, listed = noted(entry, folder)
    assert len(paths & asked) > 3, "the two are of one run"
    engine = (*INTERPRETER, str(ROOT / "pv") + "/", str(caches))
    # Whether the folder of caches lies in a repository is asked before anything else.
    marks = {str(each / mark) for each in caches.parents for mark in ("", *MARKS)}
    # Of what is missing, the recorder asks whether its folder is there.
    marks |= {str(Path(path).parent) for path in absent}
    for path in sorted(asked - paths - marks):
        above = [str(each) for each in Path(path).parents]
        # Of a listed folder, links are followed as it is listed; of a missing one, nothing is there.
        if not (path.startswith(engine) or absent & set(above) or above[0] in listed):
            yield path


def look(folder: Path, caches: Path, *words: str) -> list[str]:
    return list(unnoted(folder, caches, *run(folder, caches, *words)))


@pytest.mark.skipif(STRACE is None, reason="strace, which hears what the kernel is asked, is not here")
class TestNothingIsLookedAtUnnoted:
    def test_contracts_of_a_project_with_evidence(self, tmp_path: Path) -> None:
        project = Project(tmp_path / "project")
        (project.root / "docs").mkdir()
        project.contract({**CLAUSE, "discharge_status": "DISCHARGED", "test": "docs/numbers.md"})
        assert project.pv("discharge", "FALSIFY-SMALL-001").code == 0
        for index, words in enumerate((["validate", "contracts"], ["coverage", "contracts"], ["graph"])):
            if words[0] != "coverage":  # without obligations it ends with 2
                assert look(project.root, tmp_path / str(index) / "caches", *words) == []

    def test_signatures_and_the_policy_that_demands_them(self, tmp_path: Path) -> None:
        project = Project(tmp_path / "project")
        project.contract({**CLAUSE, "discharge_status": "DISCHARGED"})
        assert project.pv("discharge", "FALSIFY-SMALL-001").code == 0
        key = project.pv("evidence", "keygen", "release", "--json").json["id"]
        assert project.pv("evidence", "sign", "--key", "release").code == 0
        rule = '[[rules]]\nfalsifiers = ["*"]\nkeys = ["release"]\n'
        text = f'version = 1\n[keys.release]\nid = "{key}"\nfile = "release.pub"\n{rule}'
        (project.root / "policy.toml").write_text(text)
        settings = project.root / "pv.toml"
        settings.write_text(settings.read_text() + '[signatures]\npolicy = "policy.toml"\n')
        for index, words in enumerate((["validate", "contracts"], ["graph"])):
            unseen = look(project.root, tmp_path / str(index) / "caches", *words)
            # OpenSSL's settings, read as it is loaded: no signature is good by them that is not without.
            assert [path for path in unseen if not path.endswith("/openssl.cnf")] == []

    def test_the_examples_of_every_rule(self, tmp_path: Path) -> None:
        shutil.copytree(ROOT / "tests/pv/rules/resources", tmp_path / "a/rules")
        assert look(tmp_path / "a", tmp_path / "b/caches", "validate", "rules") == []

    @pytest.mark.parametrize(
        "word", ["contracts/tiny-qwen2-ship-v1.yaml", "contracts/rope-kernel-v1.yaml", "findings"]
    )
    def test_our_own(self, tmp_path: Path, word: str) -> None:
        assert look(ROOT, tmp_path / "caches", "validate", word) == []

    @pytest.mark.skipif(not CORPUS.is_dir(), reason="the outside corpus is not here")
    def test_the_outside_corpus(self, tmp_path: Path) -> None:
        shutil.copytree(CORPUS, tmp_path / "a" / "corpus")
        assert look(tmp_path / "a", tmp_path / "b/caches", "validate", "corpus") == []

    def test_the_comparison_sees_what_was_not_noted(self, tmp_path: Path) -> None:
        project = Project(tmp_path / "project")
        asked, entry = run(project.root, tmp_path / "b/caches", "validate", "contracts")
        assert list(unnoted(project.root, tmp_path / "b/caches", asked, entry)) == []
        settings = str(project.root / "pv.toml").encode()
        rest = [(probe, then) for probe, then in entry.found if probe[1] != settings]
        assert rest != entry.found
        seen = unnoted(project.root, tmp_path / "b/caches", asked, entry._replace(found=rest))
        assert list(seen) == [str(project.root / "pv.toml")]
