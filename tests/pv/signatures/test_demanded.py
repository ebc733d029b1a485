"""A project whose pv.toml names a policy: what does not satisfy it never counts, whatever asks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from pv.evidence_files import envelope_of
from pv.exits import Exit
from tests.pv.conftest import CLAUSE, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pv.signatures.conftest import SignedProject

ID = "FALSIFY-SMALL-001"
ADDRESS = f"small-v1#{ID}"
LIVE, BASE = "live-shipped-cpu.json", "algorithm-stand-in-cpu.json"
SIGN = f"have it signed by a key that the policy lets sign for it: pv evidence sign {ADDRESS} --key KEY"
UNSIGNED = f"{LIVE} does not count by policy.toml: unsigned-beside-signed: it has no envelope, and {BASE}"


@pytest.fixture
def demanding(signed: SignedProject) -> SignedProject:
    """A project that demands the signatures which its records have."""
    demand(signed)
    return signed


def demand(project: SignedProject, policy: str = "policy.toml") -> None:
    path = project.root / "pv.toml"
    path.write_text(f'{path.read_text()}\n[signatures]\npolicy = "{policy}"\n', encoding="utf-8")


def unsign(project: SignedProject, level: str = "live") -> Path:
    record = project.record(level)
    envelope_of(record).unlink()
    return record


def damaged(project: SignedProject, key: str) -> None:
    """Let another than the policy's `key` sign the live record alone."""
    record = unsign(project)
    assert project.pv("evidence", "sign", "--key", key, record).code == Exit.ACCEPTED


def test_what_satisfies_the_policy_counts_as_before(demanding: SignedProject) -> None:
    assert demanding.status() == ("DISCHARGED", "judged live")


def test_what_does_not_satisfy_it_counts_for_nothing_and_the_status_says_what_to_do(
    demanding: SignedProject,
) -> None:
    unsign(demanding)
    name, reason = demanding.status()
    assert name == "UNBOUND"
    assert reason.startswith(UNSIGNED)
    assert reason.endswith(f"; {SIGN}")
    assert demanding.pv("evidence", "sign", ADDRESS, "--key", "release").code == Exit.ACCEPTED
    assert demanding.status() == ("DISCHARGED", "judged live")


def test_without_the_setting_no_signature_is_looked_at(signed: SignedProject) -> None:
    unsign(signed)
    assert signed.status() == ("DISCHARGED", "judged live")


def other_bytes(project: SignedProject) -> None:
    record = project.record()
    shutil.copy(envelope_of(project.record("algorithm")), envelope_of(record))


def bad_signature(project: SignedProject) -> None:
    envelope = envelope_of(project.record())
    document = json.loads(envelope.read_bytes())
    other = json.loads(envelope_of(project.record("algorithm")).read_bytes())
    document["signatures"][0]["sig"] = other["signatures"][0]["sig"]
    envelope.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


def stranger(project: SignedProject) -> None:
    project.key("stranger")
    damaged(project, "stranger")


def key_of_another(project: SignedProject) -> None:
    """Let a key sign that the policy has, and that may sign for nothing of this contract."""
    other = project.key("other")
    text = (project.root / "policy.toml").read_text()
    key = f'[keys.other]\nid = "{other}"\nfile = "other.pub"\n'
    project.policy(f'{text}{key}[[rules]]\nfalsifiers = ["else#*"]\nkeys = ["other"]\n')
    damaged(project, "other")


def expired(project: SignedProject) -> None:
    path = project.root / "policy.toml"
    project.policy(
        path.read_text().replace("version = 1\n", "version = 1\nnot_after = 2020-01-01T00:00:00Z\n")
    )


def too_few(project: SignedProject) -> None:
    second = project.key("second")
    text = (project.root / "policy.toml").read_text()
    both = text.replace('keys = ["release"]', 'keys = ["release", "second"]\nthreshold = 2')
    project.policy(f'{both}[keys.second]\nid = "{second}"\nfile = "second.pub"\n')


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (unsign, "unsigned-beside-signed"),
        (other_bytes, "payload-differs"),
        (bad_signature, "bad-signature"),
        (stranger, "unknown-key"),
        (key_of_another, "key-not-allowed"),
        (expired, "policy-expired"),
        (too_few, "too-few-keys"),
    ],
)
def test_each_way_not_to_satisfy_it_is_told_by_its_word(
    demanding: SignedProject, change: Callable[[SignedProject], object], reason: str
) -> None:
    change(demanding)
    name, told = demanding.status()
    assert name == "UNBOUND"
    assert f" does not count by policy.toml: {reason}: " in told


def test_a_failure_that_lost_its_signature_does_not_leave_what_is_green(demanding: SignedProject) -> None:
    """Or whoever can take an envelope away could take a failure away."""
    record = demanding.record()
    shutil.copy(record, record.with_name("live-shipped-other.json"))
    name, told = demanding.status()
    assert name == "UNBOUND"
    assert told.startswith("live-shipped-other.json does not count by policy.toml: ")


def test_a_failure_that_is_signed_decides_over_what_is_not(demanding: SignedProject) -> None:
    (demanding.root / "data" / "shipped.txt").write_text("1.5\n2\n3\n")
    demanding.pin()
    demand(demanding)
    assert demanding.pv("discharge", ID).code == Exit.REJECTED
    assert demanding.status()[0] == "UNBOUND"
    live = sorted((demanding.root / "evidence/small-v1" / ID).glob("live-*-cpu.json"))
    assert demanding.pv("evidence", "sign", "--key", "release", *live).code == Exit.ACCEPTED
    for envelope in (demanding.root / "evidence/small-v1" / ID).glob("algorithm-*.dsse.json"):
        envelope.unlink()
    assert demanding.status()[0] == "FALSIFIED"


class TestEveryCommandSaysIt:
    """Each in a process of its own, before and after the live record has lost its signature."""

    @pytest.fixture
    def covering(self, demanding: SignedProject) -> SignedProject:
        path = demanding.root / "contracts" / "small-v1.yaml"
        document = yaml.safe_load(path.read_text())
        document["proof_obligations"] = [
            {"id": "O-1", "type": "invariant", "property": "p", "formal": "x == x"}
        ]
        document["falsification_tests"] = [{**CLAUSE, "covers": ["O-1"], "discharge_status": "DISCHARGED"}]
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        assert demanding.status()[0] == "DISCHARGED"
        return demanding

    @pytest.mark.parametrize(
        ("words", "green", "red", "code"),
        [
            (["status"], "DISCHARGED  ship-blocking", UNSIGNED, Exit.ACCEPTED),
            (["coverage"], "live", UNSIGNED, Exit.ACCEPTED),
            (["graph"], "DISCHARGED", f"{ID}  UNBOUND", Exit.ACCEPTED),
            (["audit", "contracts"], "verified", "PV-CHAIN-008", Exit.REJECTED),
            (["validate", "contracts"], "", "PV-STATUS-001", Exit.REJECTED),
            (["explain", ID], "DISCHARGED", UNSIGNED, Exit.ACCEPTED),
            (["sync", "--check"], "say what", f"DISCHARGED to UNBOUND, because: {LIVE}", Exit.REJECTED),
            (["evidence", "verify"], "2 record(s) trusted: policy.toml", "unsigned", Exit.REJECTED),
        ],
        ids=lambda value: value[0] if isinstance(value, list) else "",
    )
    def test_in_its_words(
        self, covering: SignedProject, words: list[str], green: str, red: str, code: Exit
    ) -> None:
        before = self.run(covering, *words)
        assert before.returncode == Exit.ACCEPTED, before.stdout + before.stderr
        assert green in before.stdout
        assert red not in before.stdout + before.stderr
        unsign(covering)
        after = self.run(covering, *words)
        assert after.returncode == code, after.stdout + after.stderr
        assert red in after.stdout + after.stderr

    def test_and_the_site(self, covering: SignedProject, tmp_path: Path) -> None:
        unsign(covering)
        done = self.run(covering, "report", "--html", str(tmp_path / "site"))
        assert done.returncode == Exit.ACCEPTED, done.stderr
        found = (tmp_path / "site").rglob("*.html")
        pages = [page.read_text() for page in found if page.name != "about.html"]  # which lists all words
        assert any("does not count by policy.toml" in page for page in pages)
        assert not any(">DISCHARGED<" in page for page in pages)

    @staticmethod
    def run(project: SignedProject, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pv", *words],
            cwd=project.root,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PV_NO_CACHE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )


def test_what_does_not_count_is_not_fresh_and_is_run_again(demanding: SignedProject) -> None:
    """Or a record that somebody made up would be stepped over, and then signed."""
    assert "fresh" in demanding.pv("discharge", ID).out
    before = unsign(demanding).read_bytes()
    ended = demanding.pv("discharge", ID)
    assert ended.code == Exit.ACCEPTED
    assert "fresh" not in ended.out
    assert demanding.record().read_bytes() != before


def test_a_gate_rests_on_no_record_that_does_not_count(demanding: SignedProject) -> None:
    gate = {
        "id": "FALSIFY-SMALL-002",
        "rule": "g",
        "prediction": "p",
        "if_fails": "f",
        "basis": {"far": {"falsifier": ID, "metric": "distance"}},
        "expect": ["max(far) <= 0.25"],
        "counter_examples": ["far.one_half"],
    }
    demanding.contract(CLAUSE, gate)
    unsign(demanding)
    ended = demanding.pv("discharge", "FALSIFY-SMALL-002")
    assert ended.code != Exit.ACCEPTED
    assert f"{ID} is UNBOUND" in ended.said
    demanding.pv("evidence", "sign", ADDRESS, "--key", "release")
    assert demanding.pv("discharge", "FALSIFY-SMALL-002").code == Exit.ACCEPTED
    assert demanding.status("FALSIFY-SMALL-002")[0] == "UNBOUND"
    demanding.pv("evidence", "sign", "FALSIFY-SMALL-002", "--key", "release")
    assert demanding.status("FALSIFY-SMALL-002")[0] == "DISCHARGED"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot read the policy policy.toml"),
        ("version = 2\n", "policy.toml:1:1: error: "),
        ("version = [", "policy.toml:1:"),
    ],
)
def test_a_policy_that_cannot_be_read_ends_every_command_that_needs_it(
    demanding: SignedProject, text: str | None, says: str
) -> None:
    path = demanding.root / "policy.toml"
    path.unlink()
    if text is not None:
        path.write_text(text)
    for words in (["status"], ["graph"], ["report", "--html", "site"]):
        ended = demanding.pv(*words)
        assert ended.code == Exit.USAGE, ended.said
        assert says in ended.err
        assert str(demanding.root) not in ended.err
    assert not (demanding.root / "site").exists()


@pytest.mark.parametrize("place", ["policy.toml", "release.pub"])
def test_no_pipe_in_the_place_of_a_policy_or_a_key_is_waited_for(
    demanding: SignedProject, place: str
) -> None:
    (demanding.root / place).unlink()
    os.mkfifo(demanding.root / place)
    with demanding.start("status") as running:
        _, err = running.communicate(timeout=60)
    assert running.returncode == Exit.USAGE
    assert "cannot read" in err


def test_without_the_extra_nothing_counts_and_it_is_said_what_to_install(demanding: SignedProject) -> None:
    program = (
        "import sys; sys.modules['cryptography'] = None; from pv.cli import main; sys.exit(main(['status']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=demanding.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == Exit.USAGE
    assert "pip install 'pv[sign]'" in done.stderr


def test_nothing_of_it_is_imported_where_nothing_is_demanded(signed: SignedProject) -> None:
    program = (
        "import sys; from pv.cli import main; main(['status']); "
        "print(*{name.partition('.')[0] for name in sys.modules}, *sys.modules)"
    )

    def loaded() -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=signed.root, capture_output=True, text=True, check=True
        )
        return {*done.stdout.splitlines()[-1].split()}

    assert not {"cryptography", "securesystemslib", "pydantic", "pv.signatures"} & loaded()
    demand(signed)
    assert {"cryptography", "pv.signatures"} <= loaded()
    assert "securesystemslib" not in loaded()


def test_a_policy_may_lie_outside_of_the_project(signed: SignedProject, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for name in ("policy.toml", "release.pub"):
        (signed.root / name).rename(kept / name)
    demand(signed, str(kept / "policy.toml"))
    assert signed.status()[0] == "DISCHARGED"
    (kept / "release.pub").unlink()
    assert signed.pv("status").code == Exit.USAGE
