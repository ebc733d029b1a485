"""What is remembered of a project that demands signatures: each thing that decides is changed in turn."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from pv.evidence_files import envelope_of
from pv.exits import Exit
from tests.pv.conftest import CLAUSE
from tests.pv.result_cache.conftest import Runs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pv.signatures.conftest import SignedProject

Change = Callable[["SignedProject"], object]


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Runs whose process is shared by this module."""
    made = Runs(tmp_path_factory.mktemp("runs"))
    yield made
    made.close()


@pytest.fixture
def runs(forked: Runs, tmp_path: Path) -> Runs:
    """Runs with an empty folder of caches, which lies in no project."""
    forked.caches = tmp_path / "caches"
    forked.variables["XDG_CACHE_HOME"] = str(forked.caches)
    return forked


@pytest.fixture
def demanding(signed: SignedProject) -> SignedProject:
    """A project that claims what its signed records support, and demands that they are."""
    signed.contract({**CLAUSE, "discharge_status": "DISCHARGED"})
    path = signed.root / "pv.toml"
    path.write_text(f'{path.read_text()}\n[signatures]\npolicy = "policy.toml"\n', encoding="utf-8")
    return signed


def envelope_gone(project: SignedProject) -> None:
    envelope_of(project.record()).unlink()


def envelope_of_another(project: SignedProject) -> None:
    shutil.copy(envelope_of(project.record("algorithm")), envelope_of(project.record()))


def one_byte_of_a_signature(project: SignedProject) -> None:
    """Change a byte, and nothing of the envelope's size or times."""
    path = envelope_of(project.record())
    document = json.loads(path.read_bytes())
    before = document["signatures"][0]["sig"]
    other = ("A" if before[0] != "A" else "B") + before[1:]
    path.write_bytes(path.read_bytes().replace(before.encode(), other.encode()))


def rule_of_others(project: SignedProject) -> None:
    project.edit("policy.toml", '"small-v1#*"', '"other-v1#*"')


def threshold(project: SignedProject) -> None:
    project.key("second")
    second = project.key("third")
    text = (project.root / "policy.toml").read_text().replace('["release"]', '["release", "third"]')
    project.policy(f'{text}threshold = 2\n[keys.third]\nid = "{second}"\nfile = "third.pub"\n')


def policy_of_another_name(project: SignedProject) -> None:
    text = (project.root / "policy.toml").read_text()
    (project.root / "strict.toml").write_text(text.replace('"small-v1#*"', '"other-v1#*"'))
    project.edit("pv.toml", '"policy.toml"', '"strict.toml"')


def key_gone(project: SignedProject) -> None:
    (project.root / "release.pub").unlink()


def key_of_another(project: SignedProject) -> None:
    project.key("other")
    shutil.copy(project.root / "other.pub", project.root / "release.pub")


CHANGES: dict[str, tuple[Change, bytes]] = {
    "an envelope is gone": (envelope_gone, b"UNBOUND"),
    "an envelope is that of another record": (envelope_of_another, b"UNBOUND"),
    "a byte of a signature": (one_byte_of_a_signature, b"UNBOUND"),
    "a rule of the policy": (rule_of_others, b"UNBOUND"),
    "the threshold of the policy": (threshold, b"UNBOUND"),
    "which policy it is": (policy_of_another_name, b"UNBOUND"),
    "a key is gone": (key_gone, b"cannot read release.pub"),
    "a key is another": (key_of_another, b"the key has the id"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_answer_is_remembered_until_what_decides_it_changes(
    demanding: SignedProject, runs: Runs, name: str
) -> None:
    change, said = CHANGES[name]
    assert runs.hits(demanding.root, "validate", "contracts")
    change(demanding)
    after = runs(demanding.root, "validate", "contracts")
    assert after.code in {Exit.REJECTED, Exit.USAGE}
    assert said in after.out + after.err
    assert after == runs.anew(demanding.root, "validate", "contracts")


def test_an_envelope_that_comes_back_is_seen(demanding: SignedProject, runs: Runs) -> None:
    kept = envelope_of(demanding.record()).read_bytes()
    envelope_gone(demanding)
    assert runs.hits(demanding.root, "graph")
    assert b"UNBOUND" in runs(demanding.root, "graph").out
    envelope_of(demanding.record()).write_bytes(kept)
    assert b"DISCHARGED" in runs(demanding.root, "graph").out


def test_nothing_is_remembered_across_an_expiry(demanding: SignedProject, runs: Runs) -> None:
    text = (demanding.root / "policy.toml").read_text()
    for seconds in (3, 15, 60):  # as long as this host needs for the runs before it
        until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
        demanding.policy(f"{text}not_after = {until.isoformat()}\n")
        hits = runs.hits(demanding.root, "graph")
        before = runs(demanding.root, "graph")
        if dt.datetime.now(dt.UTC) < until:
            break
    assert hits
    assert b"DISCHARGED" in before.out
    time.sleep(max(0.0, (until - dt.datetime.now(dt.UTC)).total_seconds()) + 0.01)
    after = runs(demanding.root, "graph")
    assert b"UNBOUND" in after.out
    assert after == runs.anew(demanding.root, "graph")
    assert runs.hits(demanding.root, "graph")
