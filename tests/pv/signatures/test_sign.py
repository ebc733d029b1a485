from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.errors import EvidenceError
from pv.evidence import read_record, records_of, write_record, write_unchanged
from pv.evidence_files import envelope_of
from pv.evidence_transfer import carry
from pv.exits import Exit
from pv.signatures.envelope import read_envelope
from pv.signatures.keys import load_signer
from pv.signatures.sign import sign_record
from pv.signatures.together import signatures_over

if TYPE_CHECKING:
    from tests.pv.conftest import Project
    from tests.pv.signatures.conftest import SignedProject

ID = "FALSIFY-SMALL-001"


def predicate_of(path: Path) -> dict[str, object]:
    found = dict(read_record(path).predicate)
    del found["seal"]
    return found


def test_the_payload_is_the_record_and_keys_sign_beside_each_other(signed: SignedProject) -> None:
    path = signed.record()
    first = read_envelope("e", envelope_of(path).read_bytes())
    assert first.payload == path.read_bytes()
    signed.key("second")
    ended = signed.pv("evidence", "sign", "--key", "second", path, "--json")
    assert ended.json["signed"] == [f"evidence/small-v1/{ID}/live-shipped-cpu.json"]
    both = read_envelope("e", envelope_of(path).read_bytes())
    assert set(both.signatures) > set(first.signatures)
    assert len(both.signatures) == 2
    again = signed.pv("evidence", "sign", "--key", "second", path, "--json").json
    assert (again["signed"], len(again["there"])) == ([], 1)


def test_what_does_not_verify_is_not_signed(copied: Project) -> None:
    copied.pv("evidence", "keygen", "key")
    path = copied.record()
    path.write_bytes(path.read_bytes().replace(b'"seed": 0', b'"seed": 1'))
    ended = copied.pv("evidence", "sign", "--key", "key")
    assert ended.code == Exit.REJECTED
    assert "section run was altered" in ended.err
    assert ended.out.startswith("1 signed, 0 signed before, 1 REFUSED: key ")
    assert not envelope_of(path).exists()
    whole = json.loads(copied.record("algorithm").read_bytes())
    copied.record("algorithm").write_text(json.dumps(whole), encoding="utf-8")
    assert "spelled in another way" in copied.pv("evidence", "sign", "--key", "key").err


def test_an_envelope_is_no_record(signed: SignedProject) -> None:
    path = signed.record()
    assert envelope_of(path).is_file()
    assert records_of(signed.root / "evidence", "small-v1", ID) == [signed.record("algorithm"), path]
    assert signed.pv("evidence", "verify", "--json").json == {"records": 2, "faults": []}
    assert signed.status()[0] == "DISCHARGED"
    assert signed.pv("evidence", "show", envelope_of(path)).code == Exit.USAGE
    ended = signed.pv("evidence", "import", "evidence", "--json")
    assert (len(ended.json["left"]), ended.json["refused"]) == (2, [])


def test_another_record_takes_the_envelope_away_and_the_same_one_keeps_it(signed: SignedProject) -> None:
    path = signed.record()
    carried = carry(path)
    assert write_unchanged(path, carried.data, carried.sidecars)
    assert envelope_of(path).is_file()
    other = predicate_of(path)
    other["run"] = {**read_record(path).predicate["run"], "seed": 1}
    write_record(path, other)
    assert not envelope_of(path).exists()
    assert envelope_of(signed.record("algorithm")).is_file()


def test_no_reader_sees_a_record_beside_an_envelope_of_another(signed: SignedProject) -> None:
    """Records take each other's place, no two alike, each signed once it lies there, while somebody reads."""
    path = signed.record()
    first, run = predicate_of(path), read_record(path).predicate["run"]
    signer = load_signer(signed.root / "release")
    done = threading.Event()

    def write() -> None:
        for seed in range(1, 101):
            write_record(path, {**first, "run": {**run, "seed": seed}})
            sign_record(path, signed.root / "evidence", signer)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = {True: 0, False: 0}
    while not done.is_set():
        # The order matters: what is beside the record that was read is asked afterwards.
        data = path.read_bytes()
        try:
            payload = read_envelope("e", envelope_of(path).read_bytes()).payload
        except FileNotFoundError:
            continue
        if path.read_bytes() == data:
            seen[payload == data] += 1
    writer.join()
    assert seen[False] == 0
    assert seen[True] > 0


def test_a_record_that_is_replaced_while_it_is_signed_is_not_signed(
    signed: SignedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = signed.record()
    other = {**predicate_of(path), "run": {**read_record(path).predicate["run"], "seed": 1}}
    signer = load_signer(signed.root / "release")
    sign = signer.sign

    def slow(payload: bytes) -> object:
        write_record(path, other)
        return sign(payload)

    monkeypatch.setattr(signer, "sign", slow)
    with pytest.raises(EvidenceError, match="was replaced while it was signed"):
        sign_record(path, signed.root / "evidence", signer)
    assert not envelope_of(path).exists()


def test_signatures_of_other_bytes_are_none(signed: SignedProject) -> None:
    path = signed.record()
    shutil.copyfile(envelope_of(signed.record("algorithm")), envelope_of(path))
    assert signatures_over(carry(path)) == {}
    assert signatures_over(carry(signed.record("algorithm"))) != {}
    envelope_of(path).write_bytes(b"nothing")
    assert signatures_over(carry(path)) == {}
    assert signed.pv("evidence", "sign", "--key", "release").code == Exit.ACCEPTED
    assert signed.refused() == []


def test_a_signature_covers_what_lies_in_a_sidecar(
    signed: SignedProject, lengthen: Callable[[Project], Path]
) -> None:
    path = lengthen(signed)
    assert signed.pv("evidence", "sign", "--key", "release", path).code == Exit.ACCEPTED
    assert signed.refused(str(path)) == []
    (sidecar,) = path.parent.glob("*.series.json")
    sidecar.write_bytes(sidecar.read_bytes().replace(b"0.0,0.0,", b"0.5,0.0,", 1))
    assert signed.refused(str(path)) == [("live-shipped-cpu.json", "sidecar-differs")]


def test_without_the_extra_it_is_said_what_to_install(copied: Project) -> None:
    for package, words in (
        ("securesystemslib", ["keygen", "key"]),
        ("securesystemslib", ["sign", "--key", "key"]),
        ("cryptography", ["verify", "--policy", "policy.toml"]),
    ):
        program = (
            f"import sys; sys.modules[{package!r}] = None; from pv.cli import main;"
            " sys.exit(main(sys.argv[1:]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, "evidence", *words],
            cwd=copied.root, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == Exit.USAGE
        assert "pip install 'pv[sign]'" in done.stderr
