"""What people write: contracts, waivers, pv.toml; each with the rules that look at what was accepted."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random

from benchmarks.fuzz.json_damage import damage_json, json_text
from benchmarks.fuzz.target import Target
from benchmarks.fuzz.text_damage import YAML_WORDS, damage_lines
from pv.artefacts import judge_artefact
from pv.config import load_config
from pv.contract import Contract, NotAContractError, ShapeError, load_contract
from pv.errors import ConfigError, ContractError, DocumentError, PvError, SelectionError
from pv.rules import judge, needs_project
from pv.waivers import WaiverError, load_waivers

__all__ = ["CONFIG", "CONTRACT", "WAIVERS"]

_ROOT = Path(__file__).parents[3]
_TODAY = dt.date(2026, 1, 1)


def _contracts() -> list[bytes]:
    """Return contracts of all kinds that are small enough to be read a thousand times a second."""
    found = [
        path.read_bytes()
        for path in sorted(_ROOT.glob("contracts/*.yaml"))
        + sorted(_ROOT.glob("tests/pv/rules/resources/*.good.yaml"))
    ]
    return sorted(found, key=len)[:40]


def _as_json(text: bytes) -> object:
    from pv.document import parse

    return parse(text.decode(), "seed").value


@dataclasses.dataclass
class _Kept:
    """Seeds and what they mean, read once."""

    texts: Sequence[bytes] = ()
    values: Sequence[object] = ()

    def fill(self) -> _Kept:
        if not self.texts:
            self.texts = _contracts()
            self.values = [_as_json(text) for text in self.texts]
        return self


_KEPT = _Kept()


def contract_seeds() -> list[bytes]:
    """Return contracts that are accepted."""
    return list(_KEPT.fill().texts)


def contract_made(random: Random) -> bytes:
    """Damage the values of a contract (JSON is YAML), or its lines."""
    kept = _KEPT.fill()
    place = random.randrange(len(kept.texts))
    if random.random() < 0.5:
        return json_text(damage_json(kept.values[place], random), random)
    return damage_lines(kept.texts[place], random)


def read_contract(data: bytes, folder: Path) -> None:
    """Read a contract, or what stands beside contracts, and let every rule of one file look at it."""
    path = folder / "contract.yaml"
    path.write_bytes(data)
    try:
        contract = load_contract(path)
    except NotAContractError as note:
        if (found := judge_artefact(note)) is None:
            raise
        for finding in found:
            json.dumps(finding.to_json())
        return
    except ShapeError as error:
        if not error.what:
            raise AssertionError("an error without a message") from error
        raise
    for finding in judge(contract):
        json.dumps(finding.to_json())
    needs_project(contract)


_WAIVER = [
    {
        "id": "F-001",
        "reason": "a driver",
        "approver": "A. Person",
        "created": "2025-01-01",
        "expires": "2026-06-01",
    },
    {
        "id": "w#F-002",
        "reason": "another",
        "approver": "B. Person",
        "created": "2025-12-31",
        "expires": "2026-01-02",
    },
]
_WAIVED = b"""\
- id: F-001
  reason: >-
    a driver
    of two lines
  approver: A. Person
  created: 2025-01-01
  expires: "2026-06-01"
"""
_CONTRACT = """\
metadata: {version: "1.0.0", description: d, references: [r]}
falsification_tests:
  - {id: F-001, rule: r, prediction: p, if_fails: i}
  - {id: F-002, rule: r, prediction: p, if_fails: i}
"""


def waiver_seeds() -> list[bytes]:
    """Return two files of waivers."""
    return [_WAIVED, json.dumps(_WAIVER, indent=1).encode(), b"[]"]


def waivers_made(random: Random) -> bytes:
    """Damage values, or lines."""
    if random.random() < 0.5:
        return json_text(damage_json(_WAIVER, random), random)
    return damage_lines(_WAIVED, random)


def read_waivers(data: bytes, folder: Path) -> None:
    """Read waivers of a project of one contract."""
    path = folder / "waivers.yaml"
    path.write_bytes(data)
    config = dataclasses.replace(load_config(folder, required=False), root=folder, waivers=path)
    for waiver in load_waivers(config, _TODAY, _known(folder)).waivers:
        waiver.state(_TODAY)


def _known(folder: Path, kept: dict[Path, Contract] = {}) -> list[Contract]:  # noqa: B006 - a cache
    if folder not in kept:
        (folder / "w.yaml").write_text(_CONTRACT)
        kept[folder] = load_contract(folder / "w.yaml")
    return [kept[folder]]


_TOML = (_ROOT / "pv.toml").read_bytes()
_SMALL_TOML = b"""\
[project]
contracts = ["contracts"]
evidence = "evidence"
sources = [".", "kernels"]
waivers = "waivers.yaml"

[subjects.model]
path = "models/m.gguf"
loader = "package.module:load"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
files = ["*.json"]
derived_from = ["other"]
with = { a = 1, b = [1.5, "x"], c = 2024-01-01T00:00:00Z }

[subjects.other]
path = "hf://owner/repo@main/file"

[executors.slurm]
partition = "gpu"
nodes = 2

[store]
url = "s3://bucket/path"

[ledger]
url = "sqlite:///x.db"
record = true
"""
_TOML_WORDS = (
    b"[" * 2000, b"= " + b"[" * 3000, b"= " + b"{a=" * 1000, b"= " + b"9" * 5000, b"= 1e999\n", b"= inf\n",
    b"= nan\n",
    b"= 9999-12-31T23:59:60Z\n", b"= 2024-02-30\n", b'= """', b"= '''", b"[[subjects]]\n", b"[subjects]\n",
    b".", b'"\\ud800"',
    b'"\\u0000"', b"= 0x" + b"f" * 400 + b"\n", b'derived_from = ["model"]\n', b"a.b.c.d = 1\n", b"\x00",
    b"\xff", b"\r", b"=",
)  # fmt: skip


def config_seeds() -> list[bytes]:
    """Return this project's own and one of every table."""
    return [b"", _SMALL_TOML]


def config_made(random: Random) -> bytes:
    """Damage lines, or a value."""
    if random.random() < 0.5:
        return damage_lines(_SMALL_TOML, random)
    lines = _SMALL_TOML.split(b"\n")
    place = random.randrange(len(lines))
    lines[place] = re.sub(rb"= .*", lambda _: random.choice(_TOML_WORDS), lines[place])
    return b"\n".join(lines)


def read_config(data: bytes, folder: Path) -> None:
    """Read a project's configuration."""
    (folder / "pv.toml").write_bytes(data)
    config = load_config(folder)
    if config.root != folder.resolve():
        raise AssertionError("another project was read")


_ERRORS: tuple[type[PvError], ...] = (DocumentError, ContractError, SelectionError)

CONTRACT = Target(contract_seeds, contract_made, read_contract, _ERRORS, words=YAML_WORDS)
WAIVERS = Target(waiver_seeds, waivers_made, read_waivers, (WaiverError,), words=YAML_WORDS)
CONFIG = Target(config_seeds, config_made, read_config, (ConfigError,), words=_TOML_WORDS)
