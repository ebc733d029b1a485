from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pv.evidence import read_record
from pv.evidence_files import envelope_of
from pv.exits import Exit
from pv.record_facts import host_class
from pv.signatures.policy_file import read_policy
from pv.signatures.reasons import MEANINGS, Reason
from pv.signatures.trust import Trust

if TYPE_CHECKING:
    from tests.pv.signatures.conftest import SignedProject

ID = "FALSIFY-SMALL-001"
LIVE, BASE = "live-shipped-cpu.json", "algorithm-stand-in-cpu.json"
RULE = '[[rules]]\nfalsifiers = ["small-v1#*"]\nkeys = ["release"]\n'
KEY = 'version = 1\n[keys.release]\nid = "{id}"\nfile = "release.pub"\n'
PAST, FUTURE = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


def test_what_a_key_of_the_policy_signed_is_trusted(signed: SignedProject) -> None:
    ended = signed.pv("evidence", "verify", "--policy", "policy.toml")
    assert (ended.code, ended.out) == (Exit.ACCEPTED, "2 record(s) trusted: policy.toml\n")
    assert signed.refused(ID) == []


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ('levels = ["functional"]', "level-not-allowed"),
        ('hosts = ["other-*"]', "host-not-allowed"),
        ('devices = ["cuda-*"]', "host-not-allowed"),
        ('capabilities = ["any"]', "host-not-allowed"),
        (f"not_after = {PAST}", "record-after-rule"),
    ],
)
def test_a_rule_grants_what_it_says_and_another_may_grant_the_rest(
    signed: SignedProject, rule: str, reason: str
) -> None:
    signed.policy(f"{KEY}{RULE}{rule}\n")
    assert signed.refused(LIVE.join([f"evidence/small-v1/{ID}/", ""])) == [(LIVE, reason)]
    assert dict(signed.refused()) == {LIVE: reason, BASE: reason}
    signed.policy(f"{KEY}{RULE}{rule}\n{RULE}")
    assert signed.refused() == []


@pytest.mark.parametrize("of", ["class", "whole"])
def test_a_host_is_matched_by_its_short_form_or_its_whole_one(signed: SignedProject, of: str) -> None:
    predicate = read_record(signed.record()).predicate
    whole = host_class(predicate["host"], predicate["place"])
    named = {"class": predicate["host"]["class"], "whole": re.sub(r"[\[\]*?]", "?", whole)}[of]
    signed.policy(f'{KEY}{RULE}hosts = ["{named}"]\ndevices = ["cpu"]\nnot_after = {FUTURE}\n')
    assert signed.refused() == []


def test_of_several_rules_that_refuse_the_nearest_is_told(signed: SignedProject) -> None:
    signed.policy(
        f'{KEY}{RULE}levels = ["functional"]\n{RULE}not_after = {PAST}\n{RULE}devices = ["cuda-*"]\n'
    )
    assert dict(signed.refused()) == dict.fromkeys((LIVE, BASE), "record-after-rule")


def test_a_threshold_counts_keys_that_have_not_expired(signed: SignedProject) -> None:
    second = signed.key("second")
    both = f'{KEY}[keys.second]\nid = "{second}"\nfile = "second.pub"\n'
    rule = RULE.replace('"release"', '"release", "second"') + "threshold = 2\n"
    signed.policy(both + rule)
    assert dict(signed.refused()) == dict.fromkeys((LIVE, BASE), "too-few-keys")
    assert signed.pv("evidence", "sign", "--key", "second").code == Exit.ACCEPTED
    assert signed.refused() == []
    signed.policy(both + f"not_after = {PAST}\n" + rule)
    assert dict(signed.refused()) == dict.fromkeys((LIVE, BASE), "too-few-keys")


def test_an_expiry_is_compared_with_the_record_and_with_today(signed: SignedProject) -> None:
    made = dt.datetime.fromisoformat(read_record(signed.record()).predicate["run"]["started_at"])
    later, much_later = made + dt.timedelta(days=2), made + dt.timedelta(days=9)
    text = f"{KEY}not_after = {later.isoformat()}\n{RULE}max_age_days = 5\n"
    path = signed.policy(text)

    def reasons(now: dt.datetime) -> list[Reason]:
        trust = Trust(read_policy(path), signed.config(), now)
        return [one.reason for one in trust.record(signed.record())]

    assert reasons(made + dt.timedelta(minutes=1)) == []
    assert reasons(much_later) == [Reason.KEY_EXPIRED]
    assert reasons(made - dt.timedelta(days=1)) == [Reason.FROM_THE_FUTURE]
    signed.policy(f"{KEY}not_after = {PAST}\n{RULE}")
    assert reasons(made) == [Reason.RECORD_AFTER_KEY]
    signed.policy(f"{KEY}{RULE}max_age_days = 5\n")
    assert reasons(later) == []
    assert reasons(much_later) == [Reason.TOO_OLD]
    signed.policy(f"{KEY}{RULE}not_after = {later.isoformat()}\n")
    assert reasons(much_later) == [Reason.RULE_EXPIRED]
    signed.policy(f"not_after = {later.isoformat()}\n{KEY}{RULE}")
    trust = Trust(read_policy(path), signed.config(), much_later)
    assert [one.reason for one in trust.whole("p")] == [Reason.POLICY_EXPIRED]
    assert Trust(read_policy(path), signed.config(), made).whole("p") == []


def test_evidence_that_is_required_is_missed(signed: SignedProject) -> None:
    required = '[[required]]\nfalsifiers = ["small-v1#*", "none#*"]\nlevels = ["live", "functional"]\n'
    signed.policy(KEY + RULE + required)
    assert signed.refused() == [(f"small-v1#{ID}", "missing"), ("none#*", "missing")]
    assert signed.refused(ID) == []
    shutil.rmtree(signed.root / "evidence")
    assert [reason for _, reason in signed.refused()] == ["missing"] * 3
    signed.policy()
    assert signed.pv("evidence", "verify", "--policy", "policy.toml").code == Exit.USAGE


def test_evidence_of_another_tree_is_named_with_what_changed(signed: SignedProject) -> None:
    signed.contract(expect=["max(distance) <= 0.2", "count(distance) == expected"])
    ended = signed.pv("evidence", "verify", "--policy", "policy.toml")
    assert f"{LIVE}: other-inputs: it was not made from this tree: " in ended.out
    assert "2 of 2 record(s) are not trusted: policy.toml" in ended.out
    signed.contract(check=None, subjects=None, expect=None, counter_examples=None, needs=None)
    assert dict(signed.refused()) == dict.fromkeys((LIVE, BASE), "other-inputs")
    signed.contract(id="FALSIFY-SMALL-009")
    assert dict(signed.refused()) == dict.fromkeys((LIVE, BASE), "no-such-falsifier")


def test_a_gate_is_of_the_tree_while_its_basis_stands(signed: SignedProject) -> None:
    gate: dict[str, Any] = {
        "id": "FALSIFY-SMALL-002", "rule": "They may ship", "prediction": "what is cited passed",
        "if_fails": "they may not", "expect": ["count(far) == 4"],
        "basis": {"far": {"falsifier": ID, "metric": "distance"}},
    }  # fmt: skip
    signed.contract(signed.load().falsifiers[0].raw, gate)
    ended = signed.pv("discharge", gate["id"])
    assert ended.code == Exit.ACCEPTED, ended.said
    assert signed.pv("evidence", "sign", "--key", "release", gate["id"]).code == Exit.ACCEPTED
    assert signed.refused() == []
    signed.record().unlink()
    envelope_of(signed.record("algorithm")).unlink()
    refused = signed.refused(gate["id"])
    assert {reason for _, reason in refused} == {"other-inputs"}


def test_every_reason_has_its_meaning_and_its_row_in_the_how_to() -> None:
    assert set(MEANINGS) == set(Reason)
    assert len(set(MEANINGS.values())) == len(MEANINGS)
    page = Path(__file__).parents[3] / "docs/how-to/sign-evidence.md"
    table = page.read_text(encoding="utf-8").partition("| reason |")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.+?) \|$", table, re.MULTILINE))
    assert rows == {reason.value: meaning for reason, meaning in MEANINGS.items()}


def test_a_signature_of_a_key_that_nobody_knows_takes_nothing_away(signed: SignedProject) -> None:
    signed.key("stranger")
    signed.pv("evidence", "sign", "--key", "stranger")
    assert signed.refused() == []
    for level in ("live", "algorithm"):
        path = envelope_of(signed.record(level))
        whole = json.loads(path.read_bytes())
        whole["signatures"] = []
        path.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert dict(signed.refused()) == dict.fromkeys((LIVE, BASE), "unsigned")


@given(st.data())
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_byte_of_record_or_envelope_can_be_changed(
    signed_once: SignedProject, data: st.DataObject
) -> None:
    record = signed_once.record()
    path = data.draw(st.sampled_from([record, envelope_of(record)]))
    before = path.read_bytes()
    at = data.draw(st.integers(0, len(before) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != before[at]))
    changed = before[:at] + bytes([byte]) + before[at + 1 :]
    trust = Trust(
        read_policy(signed_once.root / "policy.toml"), signed_once.config(), dt.datetime.now(dt.UTC)
    )
    try:
        path.write_bytes(changed)
        assert trust.record(record) != []
    finally:
        path.write_bytes(before)
    assert trust.record(record) == []
