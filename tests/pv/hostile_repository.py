"""A repository whose files leave a mark wherever one of them is executed."""

from __future__ import annotations

import dataclasses
import pickle
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pv.signatures.keys import generate_key
from tests.pv.conftest import Project
from tests.pv.staging import CLAIM, ONE, claimed, commit, git

__all__ = ["COMMANDS", "Marks", "hostile"]

NEEDY = "FALSIFY-NEEDY-001"
LIKE_OURS = ("pv", "pv_runtime", "pv_kernels")
LIKE_LIBRARIES = (
    *(
        "yaml",
        "json",
        "pydantic",
        "pydantic_core",
        "torch",
        "rich",
        "ruamel",
        "numpy",
        "git",
        "jinja2",
        "latex2mathml",
        "pytest",
        "cryptography",
        "cffi",
    ),
    *("sqlalchemy", "fsspec", "csv", "email", "random", "socket", "inspect", "typing_extensions", "_yaml"),
    *(
        "sitecustomize",
        "usercustomize",
        "conftest",
        "setup",
        "tomllib",
        "hashlib",
        "ast",
        "argparse",
        "subprocess",
    ),
)
LIKE_PROGRAMS = ("git", "python", "python3", "nvidia-smi", "pv", "sh", "less", "more", "ssh", "uname")

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("validate", "contracts", "tagged-v1.yaml"),
    (
        "validate",
        "contracts",
        "--strict",
        "--report",
        "sarif:{out}/pv.sarif",
        "--report",
        "junit:{out}/pv.xml",
    ),
    ("gate",),
    ("gate", "--all-files", "--comment", "{out}/comment.md", "--report", "github"),
    ("gate", "--base", "HEAD~"),
    ("status",),
    ("status", "--against", "HEAD~", "--json"),
    ("report", "--html", "{out}/site"),
    ("coverage",),
    ("audit", "contracts", "--report", "sarif:{out}/audit.sarif"),
    ("audit", "contracts", "--binding", "contracts/small-v1.yaml"),
    ("diff", "HEAD:contracts", "contracts"),
    ("graph", "--format", "mermaid"),
    ("equations",),
    ("equations", "--format", "latex"),
    ("roofline", "--hardware", "h200"),
    ("roofline", "--hardware", "h200", "--json"),
    ("explain", ONE),
    ("explain", "SCHEMA-003"),
    ("schema",),
    ("schema", "--with-checks"),
    ("migrate", "contracts", "--check"),
    ("migrate", "contracts", "--dry-run", "--json"),
    ("waivers", "list"),
    ("evidence", "show", ONE),
    ("evidence", "verify", ONE),
    ("evidence", "verify", "--policy", "policy.toml"),
    ("evidence", "history", ONE),
    ("evidence", "history", ONE, "--from", "git", "--from", "folder"),
    ("sync", "--check"),
    ("sync", "--check", "--bump"),
    ("scaffold", "contracts/small-v1.yaml", "--dry-run"),
    (
        *("scaffold", "contracts/small-v1.yaml", "--properties"),
        *("--subject", "small_checks.wholeness:wholeness"),
    ),
    ("sweep", "--dry-run", "--force"),
    ("doctor",),
)
"""What looks at a repository and is to run nothing of it; ``{out}`` is a folder elsewhere."""


@dataclasses.dataclass(frozen=True)
class Marks:
    """A folder outside of the repository in which everything that is executed leaves a file."""

    folder: Path

    def python(self, name: str) -> str:
        """Return Python that leaves the mark `name`, and is an expression."""
        return f"__import__('pathlib').Path({str(self.folder / name)!r}).touch()"

    def shell(self, name: str) -> str:
        """Return a shell command that leaves the mark `name`."""
        return f"touch {self.folder / name}"

    def found(self) -> list[str]:
        """Return what was executed, and forget it."""
        names = sorted(path.name for path in self.folder.iterdir())
        for path in self.folder.iterdir():
            path.unlink()
        return names


class _Opened:
    """A pickle that runs code when it is read."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return eval, (self.code,)


def hostile(project: Project, marks: Marks) -> Path:
    """Make the discharged `project` a repository that executes itself wherever it can; return its folder."""
    root = project.root
    project.contract(**CLAIM)
    project.contract(id=NEEDY, needs={"modules": ["numpy", "data", "no_such_module"]}, stem="needy-v1")
    claimed(project)
    _checks(root, marks)
    _texts(project, marks)
    _settings(root, marks)
    _modules(root, marks)
    _programs(root, marks)
    _policy(root)
    commit(project)
    contract = root / "contracts" / "small-v1.yaml"
    contract.write_text(
        f"{contract.read_text()}proof_obligations:\n"
        "- {id: WHOLE-1, type: invariant, property: numbers are nearly whole}\n"
        "equations:\n"
        f"  whole: {{formula: 'x = round(x)', preconditions: [\"{marks.shell('precondition')}\"]}}\n"
        f"  hostile: {{formula: '\\input{{|{marks.shell('latex')}}}'}}\n"
    )
    git(root, "add", "contracts")
    _git(root, marks)
    return root


def _policy(root: Path) -> None:
    """Write a policy that names a key, so that whoever judges by it imports what verifies signatures."""
    key = generate_key(root / "key").keyid
    stated = f'version = 1\n[keys.k]\nid = "{key}"\nfile = "key.pub"\n'
    (root / "policy.toml").write_text(f'{stated}[[rules]]\nfalsifiers = ["*"]\nkeys = ["k"]\n')


def _checks(root: Path, marks: Marks) -> None:
    for name in ("__init__.py", "wholeness.py", "loading.py"):
        path = root / "small_checks" / name
        path.write_text(f"{path.read_text()}\nMARK = {marks.python(f'check-{name}')}\n")
    path = root / "small_checks" / "wholeness.py"
    text = path.read_text()
    assert "@check(" in text
    called = marks.python("decorator")
    decorator = f"def _decorate(f, mark=lambda: {called}):\n    mark()\n    return f\n\n\n@_decorate\n"
    path.write_text(text.replace("@check(", f"{decorator}@check(", 1))
    (root / "small_checks" / "conftest.py").write_text(marks.python("conftest-of-checks"))
    tests = root / "tests"
    tests.mkdir()
    (tests / "conftest.py").write_text(marks.python("conftest-of-tests"))
    (tests / "test_it.py").write_text(f"{marks.python('test-module')}\n\n\ndef test_it():\n    assert True\n")


def _texts(project: Project, marks: Marks) -> None:
    code = marks.python("template").replace("'", '"')
    reached = "cycler.__init__.__globals__.__builtins__.eval"
    words = f"{{{{ {reached}('{code}') }}}} ${{{code}}} {{% set x = {code} %}}"
    common = {"prediction": words, "if_fails": f"`{marks.shell('backticks')}`"}
    called = ["./git", marks.shell("argv")]
    project.contract(
        common
        | {
            "id": "FALSIFY-HOSTILE-001",
            "rule": f"{words} <script>",
            "expect": [f"{marks.python('expect')} or True"],
            "check": "small_checks.wholeness:wholeness",
            "subjects": {"live": {"numbers": "built"}},
        },
        common
        | {
            "id": "FALSIFY-HOSTILE-002",
            "rule": words,
            "pytest": "tests/test_it.py::test_it",
            "expect": ["sum(passed) == 1"],
        },
        common
        | {
            "id": "FALSIFY-HOSTILE-003",
            "rule": words,
            "command": called,
            "expect": ["exit_code == 0", "min(rate) >= 1"],
            "metrics": [
                {"name": "exit_code", "kind": "count"},
                {"name": "rate", "pointer": "", "unit": "GB/s"},
            ],
        },
        stem="hostile-v1",
    )
    (project.root / "tokenizer_config.json").write_text(f'{{"chat_template": "{words}"}}')
    (project.root / "tagged-v1.yaml").write_text(
        f"metadata: !!python/object/apply:os.system ['{marks.shell('yaml-tag')}']\n"
    )


def _settings(root: Path, marks: Marks) -> None:
    evil = "evil:" + marks.python("reference").replace("'", '"')
    path = root / "pv.toml"
    path.write_text(
        f'{path.read_text()}\n'
        '[subjects.built]\npath = "built.bin"\nbuilder = "evil:build"\nloader = "evil:load"\n'
        'derived_from = ["shipped"]\n\n'
        '[subjects.pickled]\npath = "pickled.pt"\nloader = "evil:load"\n\n'
        '[subjects.out]\npath = "../../../../../etc/passwd"\nloader = "evil:load"\n\n'
        '[executors.local]\n\n[executors.evil]\nmodule = "evil"\n\n'
        f'[store]\nurl = "file://{root}/store"\n\n'
        f'[ledger]\nurl = "sqlite:///{root}/ledger.db"\n\n'
        '[gate]\nrun = true\n'
    )  # fmt: skip
    (root / "evil.py").write_text(marks.python("evil"))
    (root / "reference.txt").write_text(evil)
    for name in ("pickled.pt", "ledger.db", "built.bin", ".pv/digests.json", "data/shipped.pkl"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(pickle.dumps(_Opened(marks.python(f"pickle-{Path(name).name}"))))
    (root / "pytest.ini").write_text("[pytest]\naddopts = -p evil\n")
    (root / "setup.cfg").write_text("[tool:pytest]\naddopts = -p evil\n")


def _modules(root: Path, marks: Marks) -> None:
    for name in (*LIKE_OURS, *LIKE_LIBRARIES):
        (root / f"{name}.py").write_text(marks.python(f"module-{name}"))
    for name in ("pydantic", "rich", "ruamel", "pv"):
        (root / name).mkdir()
        (root / name / "__init__.py").write_text(marks.python(f"package-{name}"))
    pth = f"import pathlib; {marks.python('pth')}\n"
    for place in (root, root / "site-packages", root / "lib/python3.11/site-packages"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "evil.pth").write_text(pth)
    entries = "".join(
        f"[{group}]\nevil = evil\npv = evil\n\n"
        for group in ("pytest11", "console_scripts", "sqlalchemy.dialects", "fsspec.specs", "pv.executors")
    )
    for name in ("evil-1.egg-info", "evil-1.dist-info"):
        (root / name).mkdir()
        (root / name / "entry_points.txt").write_text(entries)
        (root / name / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1\n")
        (root / name / "top_level.txt").write_text("evil\n")
    (root / "pyvenv.cfg").write_text(f"home = {root}\ninclude-system-site-packages = true\n")


def _programs(root: Path, marks: Marks) -> None:
    for name in LIKE_PROGRAMS:
        path = root / (f"{name}.sh" if (root / name).exists() else name)
        path.write_text(f"#!/bin/sh\n{marks.shell(f'program-{name}')}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _git(root: Path, marks: Marks) -> None:
    """Let git execute: a monitor, hooks, aliases, pagers, filters, and what shows differences."""
    hooks = root / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "reference-transaction", "post-checkout", "fsmonitor-watchman"):
        (hooks / name).write_text(f"#!/bin/sh\n{marks.shell(f'hook-{name}')}\n")
        (hooks / name).chmod(0o755)
    aliases = ("ls-files", "ls-tree", "cat-file", "status", "rev-parse", "log", "show", "merge-base", "x")
    settings = {
        "core.fsmonitor": f"{marks.shell('fsmonitor')};",
        "core.hooksPath": str(hooks),
        "core.pager": f"{marks.shell('pager')};",
        "core.sshCommand": marks.shell("ssh"),
        "core.askPass": marks.shell("askpass"),
        "pager.log": "true",
        "log.showSignature": "true",
        "gpg.program": str(root / "git"),
        "diff.external": marks.shell("diff-external"),
        "diff.evil.command": marks.shell("diff-command"),
        "diff.evil.textconv": marks.shell("textconv"),
        "filter.evil.clean": f"{marks.shell('clean')}; cat",
        "filter.evil.smudge": f"{marks.shell('smudge')}; cat",
        "filter.evil.required": "true",
        "filter.other.one.process": marks.shell("process"),
        "credential.helper": f"!{marks.shell('credential')}",
        **{f"alias.{name}": f"!{marks.shell(f'alias-{name}')}" for name in aliases},
    }
    for name, value in settings.items():
        git(root, "config", name, value)
    (root / ".gitattributes").write_text("* filter=evil diff=evil\n*.py filter=other.one\n")
    (root / ".git" / "info").mkdir(exist_ok=True)
    (root / ".git" / "info" / "attributes").write_text("*.txt filter=evil\n")
    for path in (root / "data").iterdir():
        path.touch()  # git compares bytes again, by way of the filters
    (root / "small_checks" / "noise.py").touch()
