from __future__ import annotations

import contextlib
import copy
import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pv import evidence
from pv.errors import EvidenceError
from pv.evidence import Record, parse_record, read_record, seal, write_record
from pv.exits import Exit
from pv.regular_file import read_regular_file
from pv.verify import verify

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
Path_ = tuple[str | int, ...]


def numbers(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the place of every number, and of every text that is a digest or a number."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from numbers(item, (*path, index))
    elif (isinstance(value, int | float) and not isinstance(value, bool)) or (
        isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}|[0-9.]+", value)
    ):
        yield path


def get(value: Any, path: Path_) -> Any:
    for part in path:
        value = value[part]
    return value


def put(value: Any, path: Path_, new: Any) -> None:
    get(value, path[:-1])[path[-1]] = new


def altered(value: Any) -> Any:
    if isinstance(value, str):
        return ("1" if value[0] != "1" else "2") + value[1:]
    return value + 1


def section_of(path: Path_) -> str:
    if path[0] != "predicate":
        return "statement"
    return str(path[2] if path[1] == "seal" else path[1])


def check(path: Path, whole: Any) -> None:
    verify(parse_record(path, json.dumps(whole).encode(), lambda _name: None))


@pytest.mark.parametrize("level", ["algorithm", "live"])
def test_changing_any_one_number_names_its_section(discharged: Project, level: str) -> None:
    path = discharged.record(level)
    whole = json.loads(path.read_bytes())
    check(path, whole)
    places = list(numbers(whole))
    assert len(places) > 40
    for place in places:
        changed = copy.deepcopy(whole)
        put(changed, place, altered(get(whole, place)))
        with pytest.raises(EvidenceError, match=rf"section {section_of(place)} "):
            check(path, changed)


@pytest.mark.parametrize("place", ["measurements", "verdict", "run", "host", "seal"])
def test_the_command_rejects_and_names_the_section(copied: Project, place: str) -> None:
    assert copied.pv("evidence", "verify").code == Exit.ACCEPTED
    path = copied.record()
    whole = json.loads(path.read_bytes())
    where = next(p for p in numbers(whole) if p[:2] == ("predicate", place))
    put(whole, where, altered(get(whole, where)))
    path.write_text(json.dumps(whole), encoding="utf-8")
    ended = copied.pv("evidence", "verify")
    assert ended.code == Exit.REJECTED
    assert f"section {section_of(where)} was altered" in ended.err
    assert "1 of 2 record(s) do not verify." in ended.out
    assert copied.status()[0] == "UNBOUND"


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JUNK: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=3) | st.just([]) | st.just({})
)


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_resealing_over_nonsense_never_ends_but_in_an_evidence_error(
    discharged: Project, data: st.DataObject
) -> None:
    path = discharged.record("algorithm")
    whole = json.loads(path.read_bytes())
    where = data.draw(st.sampled_from([p for p in places(whole) if p[1:2] != ("seal",)]))
    put(whole, where, data.draw(JUNK))
    with contextlib.suppress(KeyError, TypeError, AttributeError):
        # What cannot even be sealed stays as it is: the old seal does not fit.
        whole["predicate"]["seal"] = seal(whole)
    with contextlib.suppress(EvidenceError):
        check(path, whole)


@pytest.mark.parametrize(
    ("place", "new", "section"),
    [
        (("verdict", "outcome"), "Fail", "verdict"),
        (("verdict", "lines", 0, "comparisons", 0, "margin"), 0.0625, "verdict"),
        (("measurements", "distance", "values", 0), 0.5, "verdict"),
        (("counter_examples", "one_half", "verdict", "outcome"), "Pass", "counter_examples.one_half"),
        (("counter_examples", "one_half", "caught"), False, "counter_examples.one_half"),
        (("survey", "points"), [], "survey"),
        (("inputs", "artefacts", "numbers"), "0" * 64, "inputs"),
        (("inputs", "clause"), "0" * 64, "subject"),
        (("place", "level"), "live", "place"),
        (("schema_version",), 1, "schema_version"),
    ],
)
def test_a_record_sealed_again_is_refused_where_it_does_not_follow(
    discharged: Project, place: Path_, new: Any, section: str
) -> None:
    path = discharged.record("algorithm")
    whole = json.loads(path.read_bytes())
    put(whole["predicate"], place, new)
    whole["predicate"]["seal"] = seal(whole)
    with pytest.raises(EvidenceError, match=rf"section {section} "):
        check(path, whole)


def test_a_survey_that_was_right_for_the_same_lines_is_not_taken_for_other_metrics(
    discharged: Project,
) -> None:
    path = discharged.record("algorithm")
    whole = json.loads(path.read_bytes())
    check(path, whole)  # from now on, this rule's survey is known
    metric = next(each for each in whole["predicate"]["rule"]["metrics"] if each["name"] == "distance")
    metric["high"] = 0.2500001
    whole["predicate"]["seal"] = seal(whole)
    with pytest.raises(EvidenceError, match="section survey is not what the rule gives"):
        check(path, whole)


def test_a_counter_example_is_cut_short_only_where_its_end_was_certain(discharged: Project) -> None:
    path = discharged.record("algorithm")
    whole = json.loads(path.read_bytes())
    # A distance of a half stays one; numbers that are missing may still come.
    put(whole["predicate"], ("counter_examples", "one_half", "whole"), False)
    whole["predicate"]["seal"] = seal(whole)
    check(path, whole)
    put(whole["predicate"], ("counter_examples", "one_missing", "whole"), False)
    whole["predicate"]["seal"] = seal(whole)
    with pytest.raises(EvidenceError, match=r"section counter_examples\.one_missing was cut short"):
        check(path, whole)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"seed": 0', '"seed": 0, "seed": 0', "key 'seed' stands twice"),
        ('"seed": 0', '"seed": NaN', "NaN is not JSON"),
        ('"seed": 0', '"seed": -Infinity', "-Infinity is not JSON"),
        ('"seed": 0', '"seed": ' + "[" * 100_000, "not strict JSON"),
        ('"predicate"', '"predicated"', "section statement is not that of a record"),
    ],
)
def test_what_is_no_strict_record_is_refused(copied: Project, old: str, new: str, why: str) -> None:
    path = copied.record()
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    ended = copied.pv("evidence", "verify", path)
    assert ended.code == Exit.REJECTED
    assert why in ended.err
    assert "Traceback" not in ended.said
    assert copied.pv("evidence", "show", path).code == Exit.REJECTED


@pytest.mark.parametrize("length", [0, 1, 1000, -2])
def test_a_truncated_record_is_refused(copied: Project, length: int) -> None:
    path = copied.record()
    path.write_bytes(path.read_bytes()[:length])
    assert copied.pv("evidence", "verify").code == Exit.REJECTED
    assert copied.status()[0] == "UNBOUND"


def test_a_record_moved_to_another_falsifier_is_refused(copied: Project) -> None:
    path = copied.record()
    moved = path.parent.with_name("FALSIFY-SMALL-002") / path.name
    moved.parent.mkdir()
    path.rename(moved)
    ended = copied.pv("evidence", "verify", moved)
    assert ended.code == Exit.REJECTED
    assert "section place says" in ended.err


def long_predicate(discharged: Project, value: float = 0.0) -> dict[str, Any]:
    predicate = copy.deepcopy(dict(json.loads(discharged.record().read_bytes())["predicate"]))
    del predicate["seal"]
    predicate["measurements"] = {"distance": {"values": [value] * 100_000, "labels": None}}
    return predicate


@pytest.fixture
def long(discharged: Project, tmp_path: Path) -> Path:
    path = tmp_path / "small-v1" / ID / discharged.record().name
    write_record(path, long_predicate(discharged))
    return path


def test_long_series_lie_beside_the_record(long: Path) -> None:
    (sidecar,) = long.parent.glob("*.series.json")
    assert len(long.read_bytes()) < 1 << 16
    assert len(read_record(long).predicate["measurements"]["distance"]["values"]) == 100_000
    data = sidecar.read_bytes()
    sidecar.write_bytes(data.replace(b"0.0", b"0.5", 1))
    with pytest.raises(EvidenceError, match="section measurements differs from its sidecar"):
        read_record(long)
    sidecar.unlink()
    with pytest.raises(EvidenceError, match="section measurements differs from its sidecar"):
        read_record(long)


@pytest.mark.parametrize(
    "name",
    [
        "../../secret.series.json",
        "a\0.series.json",
        "a" * 244 + ".series.json",
        "\ud800" * 100 + ".series.json",
    ],
)
def test_a_sidecar_lies_beside_its_record_and_nowhere_else(long: Path, name: str) -> None:
    """Under a name that a file can have."""
    whole = json.loads(long.read_bytes())
    whole["predicate"]["measurements"]["sidecar"] = name
    long.write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(EvidenceError, match="section measurements names no sidecar"):
        read_record(long)


def test_a_sidecar_that_cannot_be_read_is_an_error_of_evidence(
    long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path) -> bytes:
        if path.name.endswith(".series.json"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return read_regular_file(path)

    monkeypatch.setattr(evidence, "read_regular_file", failing)
    with pytest.raises(EvidenceError, match=r"\.series\.json cannot be read: Input/output error"):
        read_record(long)


@pytest.mark.parametrize("function", ["replace", "fsync"])
@pytest.mark.parametrize("call", range(4))
def test_a_write_that_breaks_leaves_the_old_record(
    discharged: Project, long: Path, monkeypatch: pytest.MonkeyPatch, function: str, call: int
) -> None:
    before = read_record(long)
    real, calls = getattr(os, function), [0]

    def breaks(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] > call:
            raise OSError(28, "no space left on the device")
        return real(*arguments)

    monkeypatch.setattr(os, function, breaks)
    try:
        write_record(long, long_predicate(discharged, 0.25))
    except OSError:
        wrote = call >= {"replace": 2, "fsync": 3}[function]
    else:
        wrote = True
    after = read_record(long)
    assert wrote or after == before
    assert [path for path in long.parent.iterdir() if path.name.startswith(".")] == []


def test_a_new_record_takes_the_old_sidecar_with_it(discharged: Project, long: Path) -> None:
    write_record(long, long_predicate(discharged, 0.25))
    assert len(list(long.parent.glob("*.series.json"))) == 1
    predicate = {
        k: v for k, v in json.loads(discharged.record().read_bytes())["predicate"].items() if k != "seal"
    }
    write_record(long, predicate)
    assert list(long.parent.iterdir()) == [long]


WRITES_OFTEN = """
import json, pathlib, sys
from pv.evidence import write_record
predicate = json.loads(pathlib.Path(sys.argv[2]).read_bytes())
for _ in range(8):
    write_record(pathlib.Path(sys.argv[1]), predicate)
"""


def test_two_writers_at_once_leave_one_whole_record(discharged: Project, long: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    predicates = [tmp_path / "one.json", tmp_path / "other.json"]
    for predicate, value in zip(predicates, (0.125, 0.25), strict=True):
        predicate.write_text(json.dumps(long_predicate(discharged, value)), encoding="utf-8")
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITES_OFTEN, long, predicate], env=environment)
        for predicate in predicates
    ]
    for writer in writers:
        assert writer.wait(30) == 0
    record: Record = read_record(long)
    assert record.predicate["measurements"]["distance"]["values"][0] in {0.125, 0.25}
    assert len(list(long.parent.iterdir())) == 2


def test_a_pipe_among_the_records_is_refused_and_not_waited_for(copied: Project) -> None:
    os.mkfifo(copied.record().with_name("live-pipe-cpu.json"))
    assert copied.status() == ("UNBOUND", "live-pipe-cpu.json is no regular file")
