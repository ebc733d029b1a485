from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pv.errors import EvidenceError
from pv.evidence_choice import Agreement, Chooser, candidate_of
from pv.evidence_import import Offer, offer_of, take
from pv.evidence_transfer import Carried, carry, check
from pv.record_facts import facts_of

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
NAME = f"small-v1/{ID}/live-shipped-cpu.json"
Restamp = Callable[[bytes, Mapping[str, Any]], bytes]


def offer(data: bytes, name: str = NAME) -> Offer:
    carried = Carried(name, data, {})
    return Offer(candidate_of(name, facts_of(check(carried, Path()), carried.digest)), lambda: carried)


def began(second: int) -> dict[str, Any]:
    return {"run.started_at": f"2030-01-01T00:00:{second:02}+00:00"}


def test_the_later_of_two_is_taken_and_told_so(copied: Project, restamp: Restamp) -> None:
    path = copied.record()
    first = path.read_bytes()
    later, latest = restamp(first, began(1)), restamp(first, began(2))
    decisions = take([offer(later), offer(first), offer(latest)], copied.config())
    assert [(one.what, one.why) for one in decisions] == [
        ("taken", "began later"),
        ("left", "the other began later"),
        ("left", "the other began later"),
    ]
    assert path.read_bytes() == latest
    again = take([offer(latest), offer(later)], copied.config())
    assert [(one.what, one.why) for one in again] == [
        ("left", "it is here already"),
        ("left", "the other began later"),
    ]
    assert copied.status()[0] == "DISCHARGED"


def test_a_start_in_another_time_zone_is_the_same_start(copied: Project, restamp: Restamp) -> None:
    first = copied.record().read_bytes()
    east = restamp(first, {"run.started_at": "2030-01-01T05:00:00+05:00"})
    utc = restamp(first, {"run.started_at": "2030-01-01T00:00:01+00:00"})
    take([offer(east)], copied.config())
    take([offer(utc)], copied.config())
    assert copied.record().read_bytes() == utc


def test_a_fresh_record_is_better_than_a_later_one_of_other_sources(
    copied: Project, restamp: Restamp
) -> None:
    fresh = copied.record().read_bytes()
    copied.edit("small_checks/wholeness.py", "range(copies)", "range(0 + copies)")
    assert copied.pv("discharge", ID).code == 0
    other = restamp(copied.record().read_bytes(), began(1))
    copied.edit("small_checks/wholeness.py", "range(0 + copies)", "range(copies)")
    config = copied.config()
    chooser = Chooser(config)
    assert [chooser.rank(offer(data).candidate)[0] for data in (fresh, other)] == [
        Agreement.FRESH,
        Agreement.SAME_CLAUSE,
    ]
    (decision, *_) = take([offer(fresh), offer(other)], config)
    assert (decision.what, decision.why) == ("taken", "is fresh")
    assert copied.record().read_bytes() == fresh
    assert take([offer(other)], config)[0].why == "the other is fresh"


def test_a_record_of_the_clause_as_it_is_now_is_better_than_a_later_one(
    copied: Project, restamp: Restamp
) -> None:
    now = copied.record().read_bytes()
    copied.contract(rule="The shipped numbers are almost whole")
    assert copied.pv("discharge", ID).code == 0
    other = restamp(copied.record().read_bytes(), began(1))
    copied.contract()
    copied.edit("small_checks/wholeness.py", "range(copies)", "range(0 + copies)")
    config = copied.config()
    assert Chooser(config).rank(offer(other).candidate)[0] == Agreement.OTHER_CLAUSE
    (decision, *_) = take([offer(now)], config)
    assert (decision.what, decision.why) == ("taken", "is of the clause as it is now")


def test_a_failure_that_began_later_is_not_hidden(copied: Project, restamp: Restamp) -> None:
    before = copied.record().read_bytes()
    (copied.root / "data" / "shipped.txt").write_text("1.0\n2.5\n3.0\n4.0\n", encoding="utf-8")
    copied.pin()
    assert copied.pv("discharge", ID).code == 1
    failed = restamp(copied.record().read_bytes(), began(1))
    copied.record().write_bytes(before)
    assert take([offer(failed)], copied.config())[0].what == "taken"
    assert copied.status()[0] == "FALSIFIED"


def test_what_does_not_verify_is_refused_and_the_next_best_is_taken(
    copied: Project, restamp: Restamp
) -> None:
    first = copied.record().read_bytes()
    good, better = restamp(first, began(1)), restamp(first, began(2))
    broken = dataclasses.replace(
        offer(better), fetch=lambda: Carried(NAME, better.replace(b'"seed": 0', b'"seed": 1'), {})
    )
    decisions = take([broken, offer(good)], copied.config())
    assert [one.what for one in decisions] == ["refused", "taken"]
    assert decisions[0].why == "section run was altered after it was sealed"
    assert copied.record().read_bytes() == good


def test_a_candidate_that_promises_more_than_its_record_is_refused(copied: Project, restamp: Restamp) -> None:
    honest = offer(restamp(copied.record().read_bytes(), {"run.started_at": "2001-01-01T00:00:00+00:00"}))
    promised = dataclasses.replace(honest.candidate, started_at="2031-01-01T00:00:00+00:00")
    before = copied.evidence()
    (decision,) = take([Offer(promised, honest.fetch)], copied.config())
    assert (decision.what, decision.why) == ("refused", "it was offered as another record than it is")
    assert copied.evidence() == before


def test_a_record_here_that_does_not_verify_is_replaced_even_by_an_older_one(
    copied: Project, restamp: Restamp
) -> None:
    path = copied.record()
    first = path.read_bytes()
    path.write_bytes(restamp(first, began(1)).replace(b'"seed": 0', b'"seed": 1'))
    (decision,) = take([offer(first)], copied.config())
    assert (decision.what, decision.why) == ("taken", "what lay here does not verify")
    assert path.read_bytes() == first


def test_the_foreign_are_left_unless_asked_for(copied: Project, restamp: Restamp) -> None:
    changes = {"falsifier.contract": "elsewhere-v1", "falsifier.path": "contracts/elsewhere-v1.yaml"}
    data = restamp(copied.record().read_bytes(), changes)
    name = f"elsewhere-v1/{ID}/live-shipped-cpu.json"
    foreign = offer(data, name)
    (decision,) = take([foreign], copied.config())
    assert (decision.what, decision.why) == ("left", "no contract here has this falsifier")
    assert not (copied.root / "evidence" / name).exists()
    (decision,) = take([foreign], copied.config(), foreign=True)
    assert decision.what == "taken"
    assert (copied.root / "evidence" / name).read_bytes() == data


def test_a_dry_run_says_the_same_and_writes_nothing(copied: Project, restamp: Restamp) -> None:
    before = copied.evidence()
    later = offer(restamp(copied.record().read_bytes(), began(1)))
    told = take([later], copied.config(), write=False)
    assert copied.evidence() == before
    assert take([later], copied.config()) == told


def test_a_file_is_offered_for_the_place_that_it_names_itself(copied: Project, tmp_path: Path) -> None:
    loose = tmp_path / "downloaded.json"
    shutil.copy(copied.record(), loose)
    assert offer_of(loose).candidate.name == NAME
    loose.write_bytes(loose.read_bytes().replace(b'"seed": 0', b'"seed": 1'))
    with pytest.raises(EvidenceError, match="section run was altered"):
        offer_of(loose)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_order_and_the_parts_the_same_record_lies_there_at_the_end(
    copied: Project, restamp: Restamp, data: st.DataObject
) -> None:
    path = copied.record()
    first = path.read_bytes()
    runs = [
        restamp(first, {**began(second), "run.seconds": seconds, "inputs.semantics": semantics})
        for second, seconds, semantics in data.draw(
            st.lists(
                st.tuples(st.integers(0, 3), st.sampled_from([0.1, 0.2]), st.sampled_from([0, 1])),
                min_size=1,
                max_size=5,
            )
        )
    ]
    config = copied.config()
    chooser = Chooser(config)
    order = data.draw(st.permutations(runs))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=2)))
    for part in itertools.pairwise([0, *cuts, len(order)]):
        take([offer(run) for run in order[slice(*part)]], config)
    assert len(runs) <= 1 or len({chooser.rank(offer(run).candidate) for run in runs}) == len(set(runs))
    best = max([first, *runs], key=lambda run: chooser.rank(offer(run).candidate))
    assert path.read_bytes() == best
    path.write_bytes(first)


TAKES = """
import sys
from pathlib import Path
from pv.config import load_config
from pv.evidence_import import offer_of, take
config = load_config(Path(sys.argv[1]))
for file in sys.argv[2:]:
    take([offer_of(Path(file))], config)
"""


def test_several_that_import_at_once_leave_the_best(
    copied: Project, restamp: Restamp, tmp_path: Path
) -> None:
    first = copied.record().read_bytes()
    files: list[Path] = []
    for second in range(12):
        files.append(tmp_path / f"{second}.json")
        files[-1].write_bytes(restamp(first, began(second)))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    parts: Sequence[Sequence[Path]] = [files[::2], files[::-2], files[5:], files[:7]]
    writers = [
        subprocess.Popen([sys.executable, "-c", TAKES, copied.root, *part], env=environment) for part in parts
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]
    assert copied.record().read_bytes() == files[-1].read_bytes()
    assert carry(copied.record()).digest == hashlib.sha256(files[-1].read_bytes()).hexdigest()
