from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.evidence_files import envelope_of
from pv.evidence_transfer import carry
from pv.exits import Exit
from pv.signatures.together import add_signatures, enveloped, signatures_over

if TYPE_CHECKING:
    from tests.pv.signatures.conftest import SignedProject

ID = "FALSIFY-SMALL-001"
LIVE = f"small-v1/{ID}/live-shipped-cpu.json"


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"file://{tmp_path}/store"


def test_signatures_are_added_to_the_same_record_and_to_no_other(signed: SignedProject) -> None:
    path = signed.record()
    data, before = path.read_bytes(), signatures_over(carry(path))
    assert add_signatures(path, data, {}) == 0
    assert add_signatures(path, data + b" ", {"k": b"s"}) == 0
    assert add_signatures(path.with_name("none.json"), data, {"k": b"s"}) == 0
    assert add_signatures(path, data, {"k": b"s", **dict.fromkeys(before, b"forged")}) == 1
    assert signatures_over(carry(path)) == {**before, "k": b"s"}
    assert add_signatures(path, data, {"k": b"other"}) == 0
    assert envelope_of(path).read_bytes() == enveloped(data, {"k": b"s", **before})


def test_signatures_travel_through_a_store_and_come_together(signed: SignedProject, store: str) -> None:
    signed.key("second")
    assert signed.pv("evidence", "push", store).code == Exit.ACCEPTED
    only_first = {level: envelope_of(signed.record(level)).read_bytes() for level in ("live", "algorithm")}
    for level in only_first:
        envelope_of(signed.record(level)).unlink()
    assert signed.pv("evidence", "sign", "--key", "second").code == Exit.ACCEPTED
    ended = signed.pv("evidence", "push", store, "--json")
    assert (len(ended.json["there"]), ended.json["refused"]) == (2, [])
    shutil.rmtree(signed.root / "evidence")
    ended = signed.pv("evidence", "pull", store)
    assert f"taken    {LIVE} (" in ended.out
    assert "there was none; 2 signature(s) added" in ended.out
    assert len(signatures_over(carry(signed.record()))) == 2
    assert signed.refused() == []
    envelope_of(signed.record()).write_bytes(only_first["live"])
    ended = signed.pv("evidence", "pull", store)
    assert "it is here already; 1 signature(s) added" in ended.out
    assert "2 left (1 because it is here already)" in ended.out
    assert signed.pv("evidence", "import", store, "--dry-run").code == Exit.ACCEPTED


def test_an_envelope_of_other_bytes_is_not_pushed(signed: SignedProject, store: str) -> None:
    shutil.copyfile(envelope_of(signed.record("algorithm")), envelope_of(signed.record()))
    ended = signed.pv("evidence", "push", store)
    assert ended.code == Exit.REJECTED
    assert f"{LIVE}: its envelope has no signature of it" in ended.out
    assert "1 pushed, 0 there already, 1 REFUSED" in ended.out


def test_signatures_come_with_records_that_are_imported(signed: SignedProject, tmp_path: Path) -> None:
    brought = tmp_path / "brought"
    shutil.copytree(signed.root / "evidence", brought)
    shutil.rmtree(signed.root / "evidence")
    assert signed.pv("evidence", "import", brought, "--dry-run").code == Exit.ACCEPTED
    assert not (signed.root / "evidence").exists()
    assert "there was none; 1 signature(s) added" in signed.pv("evidence", "import", brought).out
    assert signed.refused() == []
    for path in (signed.root / "evidence").rglob("*.dsse.json"):
        path.unlink()
    assert "it is here already; 1 signature(s) added" in signed.pv("evidence", "import", brought).out
    assert signed.refused() == []
