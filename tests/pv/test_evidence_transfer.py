from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pv.errors import EvidenceError
from pv.evidence import read_record, seal
from pv.evidence_transfer import Carried, bundle_of, carry, check, place, receive, unbundle
from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
Lengthen = Callable[..., Path]


def records(project: Project) -> list[Path]:
    return [project.record("algorithm"), project.record("live")]


def test_records_arrive_as_they_left(copied: Project, lengthen: Lengthen) -> None:
    lengthen(copied)
    before = copied.evidence()
    bundle = json.loads(json.dumps(bundle_of(records(copied))))
    assert sorted(bundle) == sorted(before)
    assert any(name.endswith(".series.json") for name in bundle)
    shutil.rmtree(copied.root / "evidence")
    names = receive(bundle, copied.config())
    assert names == tuple(f"small-v1/{ID}/{path.name}" for path in records(copied))
    assert copied.evidence() == before
    assert copied.pv("evidence", "verify").code == Exit.ACCEPTED
    assert copied.status()[0] == "DISCHARGED"
    assert receive(bundle, copied.config()) == names
    assert copied.evidence() == before


def test_what_arrives_takes_the_place_and_the_sidecar_of_what_was_there(
    copied: Project, lengthen: Lengthen
) -> None:
    lengthen(copied, 0.125)
    bundle = bundle_of(records(copied))
    old = set(copied.evidence())
    lengthen(copied, 0.0)
    receive(bundle, copied.config())
    assert set(copied.evidence()) == old
    assert read_record(copied.record()).predicate["measurements"]["distance"]["values"][0] == 0.125


def test_one_record_that_does_not_verify_and_nothing_is_written(copied: Project) -> None:
    bundle = bundle_of(records(copied))
    name = next(name for name in bundle if "live-" in name)
    bundle[name] = bundle[name].replace('"seed": 0', '"seed": 1')
    shutil.rmtree(copied.root / "evidence")
    with pytest.raises(EvidenceError, match="section run was altered after it was sealed"):
        receive(bundle, copied.config())
    assert not (copied.root / "evidence").exists()


@pytest.mark.parametrize(
    "name",
    [
        "../x/y.json",
        "/etc/x.json",
        "a/b/../c.json",
        "a/b/.c.json",
        "a/.git/c.json",
        "a/b/c.txt",
        "b/c.json",
        "a/b/c/d.json",
        "a\\b/c/d.json",
        "a/b\n/c.json",
        "a//c.json",
    ],
)
def test_a_name_that_leaves_the_folder_is_refused(discharged: Project, name: str) -> None:
    (text, *_) = bundle_of([discharged.record()]).values()
    with pytest.raises(EvidenceError, match="is no name of a record"):
        receive({name: text}, discharged.config())


def test_a_record_under_another_name_is_refused_and_told_where_it_belongs(discharged: Project) -> None:
    (carried,) = unbundle(bundle_of([discharged.record()]))
    moved = Carried("small-v1/FALSIFY-SMALL-002/live-shipped-cpu.json", carried.data, {})
    with pytest.raises(EvidenceError, match="but it lies elsewhere"):
        receive({moved.name: moved.data.decode()}, discharged.config())
    assert place(moved) == carried.name
    assert place(Carried("anything.json", carried.data, {})) == carried.name


@pytest.mark.parametrize("contract", ["..", "a/b", "", ".hidden", "a\x1b[2J", 7, None])
def test_a_sealed_place_outside_the_folder_is_none(discharged: Project, contract: Any) -> None:
    whole = json.loads(discharged.record().read_bytes())
    whole["predicate"]["falsifier"]["contract"] = contract
    whole["predicate"]["seal"] = seal(whole)
    with pytest.raises(EvidenceError, match=r"section place is none|has not the shape of a record"):
        place(Carried("x.json", json.dumps(whole).encode(), {}))


def test_sidecars_come_along_or_nothing_does(copied: Project, lengthen: Lengthen) -> None:
    path = lengthen(copied)
    bundle = bundle_of([path])
    (sidecar,) = (name for name in bundle if name.endswith(".series.json"))
    with pytest.raises(EvidenceError, match="did not come with it"):
        receive({name: text for name, text in bundle.items() if name != sidecar}, copied.config())
    with pytest.raises(EvidenceError, match="belongs to no record"):
        receive({sidecar: bundle[sidecar]}, copied.config())
    with pytest.raises(EvidenceError, match="is not named by its bytes"):
        receive({**bundle, sidecar: bundle[sidecar].replace("0.0", "0.5", 1)}, copied.config())
    path.with_name(sidecar.rpartition("/")[2]).unlink()
    with pytest.raises(EvidenceError, match="cannot be read"):
        bundle_of([path])


def test_a_sidecar_that_the_record_does_not_name_is_refused(copied: Project, lengthen: Lengthen) -> None:
    plain = carry(copied.record())
    carried = carry(lengthen(copied))
    with pytest.raises(EvidenceError, match="other sidecars came with it"):
        check(Carried(plain.name, plain.data, carried.sidecars), copied.root / "evidence")


def test_a_sidecar_named_as_anothers_is_refused(copied: Project, lengthen: Lengthen) -> None:
    carried = carry(lengthen(copied))
    ((name, series),) = carried.sidecars.items()
    other = "algorithm-stand-in-cpu." + name.split(".", 1)[1]
    data = carried.data.replace(name.encode(), other.encode())
    with pytest.raises(EvidenceError, match="is not named by its bytes"):
        check(Carried(carried.name, data, {other: series}), copied.root / "evidence")


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=20) | st.just("a/b/c.json"), value=JUNK)
def test_junk_ends_in_an_evidence_error(discharged: Project, name: str, value: Any) -> None:
    before = discharged.evidence()
    with pytest.raises(EvidenceError):
        receive({name: json.dumps(value)}, discharged.config())
    with pytest.raises(EvidenceError):
        place(Carried(name, json.dumps(value).encode(), {}))
    assert discharged.evidence() == before


def test_text_that_is_no_utf_8_is_refused(copied: Project) -> None:
    path = copied.record()
    path.write_bytes(path.read_bytes() + b"\xff")
    with pytest.raises(EvidenceError, match="not strict JSON"):
        bundle_of([path])
    with pytest.raises(EvidenceError, match="not text in UTF-8"):
        receive({"a/b/c.json": "\ud800"}, copied.config())


@pytest.mark.parametrize("function", ["replace", "fsync"])
@pytest.mark.parametrize("call", range(3))
def test_a_write_that_breaks_leaves_the_old_record(
    copied: Project, lengthen: Lengthen, monkeypatch: pytest.MonkeyPatch, function: str, call: int
) -> None:
    bundle = bundle_of([lengthen(copied, 0.125)])
    before = read_record(lengthen(copied, 0.0))
    real, calls = getattr(os, function), [0]

    def breaks(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] > call:
            raise OSError(28, "no space left on the device")
        return real(*arguments)

    monkeypatch.setattr(os, function, breaks)
    with contextlib.suppress(OSError):
        receive(bundle, copied.config())
    monkeypatch.undo()
    after = read_record(copied.record())
    wrote = after.predicate["measurements"]["distance"]["values"][0] == 0.125
    assert wrote or after == before
    assert [path for path in copied.record().parent.iterdir() if path.name.startswith(".")] == []
    receive(bundle, copied.config())
    assert read_record(copied.record()) != before


def test_what_a_killed_writer_left_is_taken_away(copied: Project) -> None:
    left = copied.record().with_name(".live-shipped-cpu.json.ab12")
    left.write_bytes(b"{")
    receive(bundle_of([copied.record()]), copied.config())
    assert not left.exists()
