"""Records that are edited, swapped, replayed or taken away. A row has what a case has."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.trust.victim import FIRST, LONG, Do, Victim
from pv.canonical import canonical, digest_of
from pv.evidence import spelled
from pv.evidence_files import envelope_of
from pv.expression import measurements_from_json
from pv.verdict import judge
from pv.verify import metrics_from_json

__all__ = ["CASES"]

Change = Callable[[dict[str, Any]], None]
LIVE, BASE = "live-answers-cpu.json", "algorithm-answers-cpu.json"


def _set(value: Any, *way: Any) -> Change:
    def change(whole: dict[str, Any]) -> None:
        part: Any = whole
        for step in way[:-1]:
            part = part[step]
        part[way[-1]] = value

    return change


def _naive(change: Change) -> Do:
    return lambda victim: victim.naive(victim.record(), change)


def _sealed(change: Change) -> Do:
    return lambda victim: victim.sealed(victim.record(), change)


def _vouched(change: Change) -> Do:
    """Return what a holder of the key may do: such a record is signed, and only its content speaks."""

    def do(victim: Victim) -> None:
        victim.sealed(victim.record(), change)
        victim.sign(victim.record())

    return do


def _vouched_statement(change: Change) -> Do:
    def do(victim: Victim) -> None:
        victim.naive(victim.record(), change)
        victim.sign(victim.record())

    return do


def _loosened(predicate: dict[str, Any]) -> None:
    """Lower the threshold, and let the verdict follow from it."""
    predicate["rule"]["lines"] = [line.replace("0.8", "0.1") for line in predicate["rule"]["lines"]]
    measured = measurements_from_json(predicate["measurements"])
    metrics = metrics_from_json(predicate["rule"]["metrics"])
    predicate["verdict"] = judge(predicate["rule"]["lines"], measured, metrics).to_json()


def _swap(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def _swap_records(victim: Victim) -> None:
    _swap(victim.record(), victim.record(level="algorithm"))


def _take_pair(victim: Victim) -> None:
    path = victim.record()
    envelope_of(path).unlink()
    path.unlink()


def _swap_pairs(victim: Victim) -> None:
    one, other = victim.record(), victim.record(level="algorithm")
    _swap(one, other)
    _swap(envelope_of(one), envelope_of(other))


def _other_artefact(predicate: dict[str, Any]) -> None:
    predicate["subjects"]["answers"]["sha256"] = "0" * 64
    predicate["inputs"]["artefacts"]["answers"] = "0" * 64


def _measured_in_the_sidecar(victim: Victim) -> None:
    path = victim.sidecar()
    path.write_bytes(path.read_bytes().replace(b"0.1", b"0.0", 1))


def _sidecar_restated(victim: Victim) -> None:
    """Change a series and everything that says its digest: all is in order again but the signature."""
    path, record = victim.sidecar(), victim.record(LONG)
    value = json.loads(path.read_bytes())
    value["measurements"]["step"]["values"][1] = 0.0
    other = path.with_name(f"{record.stem}.{digest_of(value)[:12]}.series.json")
    path.unlink()
    other.write_bytes(canonical(value) + b"\n")

    def change(predicate: dict[str, Any]) -> None:
        for key in value:
            predicate[key] = {"sidecar": other.name, "sha256": digest_of(value[key])}

    victim.sealed(record, change)


def _respell(path: Path, **how: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes()), **how) + "\n", encoding="utf-8")


def _replayed(victim: Victim) -> None:
    """Put back an older record of the same place, with its signature, after the clause was changed."""
    old = [path.read_bytes() for path in (victim.record(), envelope_of(victim.record()))]
    victim.edit("contracts/first-v1.yaml", ">= 0.8", ">= 0.85")
    victim.do("discharge", "FALSIFY-FIRST-001")
    path = victim.record()
    path.write_bytes(old[0])
    envelope_of(path).write_bytes(old[1])


CASES: tuple[tuple[str, str, str, str, Do], ...] = (
    # Edited, and the seal left as it is.
    ("the digest of a subject is changed", LIVE, "does-not-verify", "section statement was altered",
     _naive(_set("0" * 64, "subject", 2, "digest", "sha256"))),
    ("the digest of an artefact is changed", LIVE, "does-not-verify", "section subjects was altered",
     _naive(_set("0" * 64, "predicate", "subjects", "answers", "sha256"))),
    ("the digest of the clause is changed", LIVE, "does-not-verify", "section inputs was altered",
     _naive(_set("0" * 64, "predicate", "inputs", "clause"))),
    ("the verdict is turned", LIVE, "does-not-verify", "section verdict was altered",
     _naive(_set("Fail", "predicate", "verdict", "outcome"))),
    ("the threshold is lowered", LIVE, "does-not-verify", "section rule was altered",
     _naive(_set("mean(correct) >= 0.1", "predicate", "rule", "lines", 0))),
    ("the host is changed", LIVE, "does-not-verify", "section host was altered",
     _naive(_set("other", "predicate", "host", "class"))),
    ("the time is changed", LIVE, "does-not-verify", "section run was altered",
     _naive(_set("2031-01-01T00:00:00+00:00", "predicate", "run", "started_at"))),
    ("a measurement is changed", LIVE, "does-not-verify", "section measurements was altered",
     _naive(_set(0, "predicate", "measurements", "correct", "values", 0))),
    ("a counter-example is said to be caught", LIVE.replace("live", "algorithm"), "does-not-verify",
     "section counter_examples was altered",
     lambda v: v.naive(v.record(level="algorithm"),
                       _set(False, "predicate", "counter_examples", "no_answers", "caught"))),
    ("the commit is changed", LIVE, "does-not-verify", "section revision was altered",
     _naive(_set("f" * 40, "predicate", "revision", "commit"))),
    ("the version of a library is changed", LIVE, "does-not-verify", "section versions was altered",
     _naive(_set({"torch": "9"}, "predicate", "versions"))),
    ("a part of the seal is changed", LIVE, "does-not-verify", "section engine was altered",
     _naive(_set("0" * 64, "predicate", "seal", "engine"))),
    ("a section is taken out", LIVE, "does-not-verify", "section versions is sealed but gone",
     _naive(lambda whole: whole["predicate"].pop("versions"))),
    # Edited, and sealed again: only the signature is left.
    ("an artefact is changed, sealed again", LIVE, "payload-differs", "section inputs, statement, subjects",
     _sealed(_other_artefact)),
    ("the verdict is turned, sealed again", LIVE, "does-not-verify", "verdict does not follow from the meas",
     _sealed(_set("Fail", "verdict", "outcome"))),
    ("the threshold is lowered, judged and sealed again", LIVE, "payload-differs",
     "section rule, verdict", _sealed(_loosened)),
    ("the host is changed, sealed again", LIVE, "payload-differs", "section host",
     _sealed(_set("other", "host", "class"))),
    ("the time is changed, sealed again", LIVE, "payload-differs", "section run",
     _sealed(_set("2031-01-01T00:00:00+00:00", "run", "started_at"))),
    ("a measurement is changed, sealed again", LIVE, "payload-differs", "section measurements",
     _sealed(_set(0, "measurements", "correct", "values", 0))),
    ("the commit is changed, sealed again", LIVE, "payload-differs", "section revision",
     _sealed(_set("f" * 40, "revision", "commit"))),
    # Long series.
    ("a measurement in a sidecar is changed", LIVE, "sidecar-differs", "differs from its sidecar",
     _measured_in_the_sidecar),
    ("a sidecar and all digests of it are changed", LIVE, "payload-differs", "section measurements",
     _sidecar_restated),
    ("a sidecar is taken away", LIVE, "unreadable", "cannot be read", lambda v: v.sidecar().unlink()),
    ("a key stands twice in a sidecar", LIVE, "duplicate-key", "key 'measurements' stands twice",
     lambda v: v.sidecar().write_bytes(v.sidecar().read_bytes().replace(b"{", b'{"measurements":{},', 1))),
    ("a sidecar is spelled otherwise", LIVE, "other-spelling", "than sidecars are written",
     lambda v: _respell(v.sidecar(), indent=1)),
    # Files.
    ("a key stands twice in the record", LIVE, "duplicate-key", "key 'predicateType' stands twice",
     lambda v: v.record().write_bytes(v.record().read_bytes().replace(
         b' "predicateType"', b' "predicateType": "x",\n "predicateType"', 1))),
    ("the record is spelled without blanks", LIVE, "other-spelling", "than records are written",
     lambda v: _respell(v.record(), separators=(",", ":"), sort_keys=True)),
    ("the keys of the record are in another order", LIVE, "payload-differs", "another spelling of this",
     lambda v: v.record().write_text(json.dumps(dict(reversed(
         json.loads(v.record().read_bytes()).items())), indent=1) + "\n", encoding="utf-8")),
    ("the record is cut short", LIVE, "unreadable", "not strict JSON",
     lambda v: v.record().write_bytes(v.record().read_bytes()[:2000])),
    ("the record is another document", LIVE, "unreadable", "has not the shape of a record",
     lambda v: v.record().write_bytes(spelled({"all": "good"}))),
    ("a record is taken away, its envelope left", "live-answers-cpu.dsse.json", "envelope-alone",
     "its record is gone", lambda v: v.record().unlink()),
    ("a record is taken away with its envelope", "first-v1#FALSIFY-FIRST-001", "missing",
     "requires evidence at live level",
     _take_pair),
    ("all evidence of a falsifier is taken away", "long-v1#FALSIFY-LONG-001", "missing",
     "requires evidence at live level", lambda v: shutil.rmtree(v.root / "evidence" / LONG)),
    ("two records are swapped", LIVE, "does-not-verify", "section place says", _swap_records),
    ("two records are swapped with their envelopes", f"{FIRST}/{LIVE}", "does-not-verify",
     f"section place says {FIRST}/{BASE}", _swap_pairs),
    # Signed by the right key, and still not to be taken.
    ("an older schema is signed", LIVE, "schema-downgraded", "version is 1, and the policy wants 2",
     _vouched(_set(1, "schema_version"))),
    ("a schema that is no number is signed", LIVE, "schema-downgraded", "its schema version is '2'",
     _vouched(_set("2", "schema_version"))),
    ("another type of predicate is signed", LIVE, "other-type", "its predicate is a 'urn:pv:discharge:v0'",
     _vouched_statement(_set("urn:pv:discharge:v0", "predicateType"))),
    ("another type of statement is signed", LIVE, "other-type", "it is a 'https://in-toto.io/Statement/v0.1'",
     _vouched_statement(_set("https://in-toto.io/Statement/v0.1", "_type"))),
    ("a record from the future is signed", LIVE, "from-the-future", "it says that it was made 2999",
     _vouched(_set("2999-01-01T00:00:00+00:00", "run", "started_at"))),
    ("an old record is put back after the clause was changed", LIVE, "other-inputs",
     "not made from this tree", _replayed),
    ("the check is changed after the record was signed", LIVE, "other-inputs", "pv_checks/first.py changed",
     lambda v: v.edit("pv_checks/first.py", "== row", "!= row")),
    ("another artefact is pinned after the record was signed", LIVE, "other-inputs", "subject answers",
     lambda v: v.edit("pv.toml", 'sha256 = "', 'sha256 = "' + "0" * 64 + '" # ')),
    ("the falsifier has another id after the record was signed", LIVE, "no-such-falsifier",
     "no contract of the tree has first-v1#FALSIFY-FIRST-001",
     lambda v: v.edit("contracts/first-v1.yaml", "FALSIFY-FIRST-001", "FALSIFY-FIRST-002")),
)  # fmt: skip
