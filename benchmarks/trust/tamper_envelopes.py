"""Envelopes and signatures that are changed, swapped, forged or taken away."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.trust.tamper_records import BASE, LIVE
from benchmarks.trust.victim import LONG, Do, Victim
from pv.evidence import spelled
from pv.evidence_files import envelope_of
from pv.signatures.keys import load_signer
from pv.signatures.sign import sign_payload

__all__ = ["CASES"]


def _forged(victim: Victim) -> None:
    """Change the record, seal it, and put it into the envelope: the signature stays."""
    path = victim.record()
    victim.sealed(path, lambda predicate: predicate["host"].update({"class": "other"}))
    victim.put(path, payload=path.read_bytes())


def _relabelled(victim: Victim) -> None:
    """Sign with a stranger's key, and say that it was the one of the policy."""
    path = victim.record()
    made = sign_payload(path.read_bytes(), load_signer(victim.root / "stranger"))
    victim.put(path, signatures=((victim.key("release"), made.signatures[0][1]),))


def _signature(change: Callable[[bytes], bytes]) -> Do:
    def do(victim: Victim) -> None:
        ((key, signature),) = victim.envelope(victim.record()).signatures
        victim.put(victim.record(), signatures=((key, change(signature)),))

    return do


def _key(name: Callable[[Victim], str]) -> Do:
    def do(victim: Victim) -> None:
        ((_, signature),) = victim.envelope(victim.record()).signatures
        victim.put(victim.record(), signatures=((name(victim), signature),))

    return do


def _document(change: Callable[[dict[str, Any]], object]) -> Do:
    def do(victim: Victim) -> None:
        path = envelope_of(victim.record())
        whole = json.loads(path.read_bytes())
        change(whole)
        path.write_bytes(spelled(whole))

    return do


def _bytes(change: Callable[[bytes], bytes]) -> Do:
    def do(victim: Victim) -> None:
        path = envelope_of(victim.record())
        path.write_bytes(change(path.read_bytes()))

    return do


def _swap_envelopes(victim: Victim) -> None:
    one, other = (envelope_of(victim.record(level=level)) for level in ("live", "algorithm"))
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def _payload_of_another(victim: Victim) -> None:
    victim.put(victim.record(), payload=victim.record(level="algorithm").read_bytes())


def _take_all(victim: Victim) -> None:
    for path in (victim.root / "evidence").rglob("*.dsse.json"):
        path.unlink()


def _only_one_key(victim: Victim) -> None:
    path, night = victim.record(LONG), victim.key("night")
    kept = tuple(one for one in victim.envelope(path).signatures if one[0] != night)
    victim.put(path, signatures=kept)


def _broken_beside_good(victim: Victim) -> None:
    path, night = victim.record(LONG), victim.key("night")
    victim.put(
        path,
        signatures=tuple((k, s[::-1] if k == night else s) for k, s in victim.envelope(path).signatures),
    )


def _folder(victim: Victim) -> None:
    path: Path = envelope_of(victim.record())
    path.unlink()
    path.mkdir()


CASES: tuple[tuple[str, str, str, str, Do], ...] = (
    ("record and payload are changed alike", LIVE, "bad-signature", "the key release", _forged),
    ("a stranger signs", LIVE, "unknown-key", "the policy has no key",
     lambda v: v.sign(v.record(), "stranger")),
    ("a stranger signs under the id of a known key", LIVE, "bad-signature", "the key release", _relabelled),
    ("a byte of a signature is changed", LIVE, "bad-signature", "the key release",
     _signature(lambda one: bytes([one[0] ^ 1]) + one[1:])),
    ("a signature is cut short", LIVE, "bad-signature", "the key release", _signature(lambda one: one[:-1])),
    ("a signature is made longer", LIVE, "bad-signature", "the key release",
     _signature(lambda one: one + b"\0")),
    ("a signature is emptied", LIVE, "bad-signature", "the key release", _signature(lambda _: b"")),
    ("the id of a key is changed", LIVE, "unknown-key", "no key 000000000000…", _key(lambda _: "0" * 64)),
    ("the id of a key is changed to another's", LIVE, "bad-signature", "the key night",
     _key(lambda victim: victim.key("night"))),
    ("another key of the policy signs alone", LIVE, "key-not-allowed", "does not let the key night sign",
     lambda v: v.sign(v.record(), "night")),
    ("one of two signatures is taken out", LIVE, "too-few-keys", "1 key(s) signed, and rule 2 wants 2",
     _only_one_key),
    ("one of two signatures is broken", LIVE, "bad-signature", "the key night", _broken_beside_good),
    ("a signature stands twice", LIVE, "signed-twice", "two signatures of the key",
     _document(lambda whole: whole["signatures"].append(whole["signatures"][0]))),
    ("all signatures are taken out", LIVE, "unsigned", "its envelope has no signature",
     lambda v: v.put(v.record(), signatures=())),
    ("the type of the payload is changed", LIVE, "payload-type", "said to be 'text/plain'",
     lambda v: v.put(v.record(), payload_type="text/plain")),
    ("the payload is that of another record", LIVE, "payload-differs", "it differs in section",
     _payload_of_another),
    ("two envelopes are swapped", BASE, "payload-differs", "it differs in section", _swap_envelopes),
    ("the payload is no record", LIVE, "payload-differs", "signed something that is no record",
     lambda v: v.put(v.record(), payload=b"{}")),
    ("an envelope is taken away", LIVE, "unsigned-beside-signed", f"{BASE} beside it has one",
     lambda v: envelope_of(v.record()).unlink()),
    ("all envelopes are taken away", LIVE, "unsigned", "it has no envelope", _take_all),
    ("a key stands twice in the envelope", LIVE, "duplicate-key", "key 'payloadType' stands twice",
     _bytes(lambda data: data.replace(b' "payloadType"', b' "payloadType": "x",\n "payloadType"', 1))),
    ("the envelope is spelled otherwise", LIVE, "envelope-spelling", "than envelopes are written",
     _bytes(lambda data: json.dumps(json.loads(data)).encode())),
    ("the payload is spelled in another alphabet", LIVE, "envelope-unreadable", "not base64",
     _document(lambda whole: whole.update(payload=whole["payload"][:-4] + "_-A="))),
    ("blanks are put into the payload", LIVE, "envelope-unreadable", "not base64",
     _document(lambda whole: whole.update(payload=whole["payload"] + "\n"))),
    ("a field that nobody signed is added", LIVE, "envelope-unreadable", "'note', which no signature covers",
     _document(lambda whole: whole.update(note="reviewed"))),
    ("a field is taken out", LIVE, "envelope-unreadable", "it has no 'payloadType'",
     _document(lambda whole: whole.pop("payloadType"))),
    ("the envelope is cut short", LIVE, "envelope-unreadable", "not strict JSON",
     _bytes(lambda data: data[:500])),
    ("a folder lies where the envelope was", LIVE, "unreadable", "is no regular file", _folder),
)  # fmt: skip
