from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.builds import build_key
from pv.errors import ConfigError, SubjectError
from pv.subjects import Artefact, Missing, Subjects, Unbuilt

if TYPE_CHECKING:
    from tests.pv.conftest import Project


def test_a_subject_is_found_missing_or_refused(project: Project) -> None:
    subjects = Subjects(project.config())
    found = subjects.resolve("shipped")
    assert isinstance(found, Artefact)
    assert found.sha256 == project.config().subjects["shipped"].sha256
    assert not found.changed()
    missing = subjects.resolve("far-away")
    assert isinstance(missing, Missing)
    assert missing.remedy == "cp FAR data/far-away.txt"
    with pytest.raises(ConfigError, match=r"subject 'nowhere' is not in pv\.toml \(known: far-away, shipped"):
        subjects.resolve("nowhere")
    (project.root / "data" / "shipped.txt").write_bytes(b"other")
    assert found.changed()
    with pytest.raises(SubjectError, match=r"is not the one that pv\.toml pins"):
        subjects.resolve("shipped")


def test_an_override_is_judged_whatever_is_pinned(project: Project) -> None:
    other = project.root / "other"
    other.write_bytes(b"1.0\n")
    found = Subjects(project.config(), {"shipped": other}).resolve("shipped")
    assert isinstance(found, Artefact)
    assert found.sha256 == hashlib.sha256(b"1.0\n").hexdigest()
    with pytest.raises(SubjectError, match="is not there"):
        Subjects(project.config(), {"shipped": project.root / "none"}).resolve("shipped")
    with pytest.raises(ConfigError, match=r"is not in pv\.toml"):
        Subjects(project.config(), {"nowhere": other})


HUB = '\n[subjects.hub]\npath = "hf://owner/repo@abc/{file}"\nloader = "small_checks.loading:open_numbers"\n'


def test_the_hub_is_read_from_its_cache(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    toml = project.root / "pv.toml"
    plain = toml.read_text(encoding="utf-8")
    toml.write_text(plain + HUB.format(file="a/b.txt"), encoding="utf-8")
    monkeypatch.setenv("HF_HUB_CACHE", str(project.root / "hub"))
    missing = Subjects(project.config()).resolve("hub")
    assert isinstance(missing, Missing)
    assert missing.remedy == "pv fetch hub"
    path = project.root / "hub" / "models--owner--repo" / "snapshots" / "abc" / "a" / "b.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"1.0\n")
    found = Subjects(project.config()).resolve("hub")
    assert isinstance(found, Artefact)
    assert found.path == path
    for file, why in (("../../x", "leaves its repository"), ("a b", "is not hf://")):
        toml.write_text(plain + HUB.format(file=file), encoding="utf-8")
        with pytest.raises(ConfigError, match=why):
            Subjects(project.config()).resolve("hub")


BUILT = """
[subjects.built]
path = "built.txt"
builder = "small_checks.building:{builder}"
with = {{times = 2}}
loader = "small_checks.loading:open_numbers"
derived_from = ["shipped"]
"""
BUILDER = """
def twice(source, output, *, times):
    with open(source, "rb") as file:
        data = file.read()
    with open(output, "wb") as file:
        file.write(data * times)
def nothing(source, output, *, times): ...
def beside(source, output, *, times):
    import os
    twice(source, output + ".part", times=times)
    twice(output + ".part", output, times=1)
    os.unlink(output + ".part")
def hiding(source, output, *, times):
    open("small_checks/factor.txt").close()
    twice(source, output, times=times)
"""


def building(project: Project, builder: str) -> None:
    (project.root / "small_checks" / "building.py").write_text(BUILDER, encoding="utf-8")
    project.pin()
    toml = project.root / "pv.toml"
    toml.write_text(toml.read_text(encoding="utf-8") + BUILT.format(builder=builder), encoding="utf-8")
    project.contract(subjects={"live": {"numbers": "built"}})


def test_a_subject_is_built_once_and_known_by_what_it_is_built_from(project: Project) -> None:
    building(project, "twice")
    unbuilt = Subjects(project.config()).resolve("built")
    assert isinstance(unbuilt, Unbuilt)
    assert unbuilt.build_key == build_key("built", project.config())
    assert project.pv("discharge", "FALSIFY-SMALL-001").code == 0
    built = Subjects(project.config()).resolve("built")
    assert isinstance(built, Artefact)
    assert built.path.read_bytes() == (project.root / "data" / "shipped.txt").read_bytes() * 2
    assert project.status()[0] == "DISCHARGED"
    project.edit("small_checks/building.py", "data * times", "data * times * 1")
    assert build_key("built", project.config()) != unbuilt.build_key
    assert project.status()[0] == "STALE"


def test_an_edited_build_is_refused_and_an_unfinished_one_made_again(project: Project) -> None:
    building(project, "twice")
    assert project.pv("discharge", "FALSIFY-SMALL-001").code == 0
    (built,) = (project.root / ".pv" / "built").glob("*/*")
    (stated,) = (project.root / ".pv" / "built").glob("*.sha256")
    whole = built.read_bytes()
    built.write_bytes(whole + b"1\n")
    before = project.evidence()
    ended = project.pv("discharge", "--force", "FALSIFY-SMALL-001")
    assert ended.code == 4
    assert "subject built was altered after it was built" in ended.out
    assert project.evidence() == before
    stated.unlink()
    assert project.pv("discharge", "--force", "FALSIFY-SMALL-001").code == 0
    assert built.read_bytes() == whole


def test_setting_the_modification_time_back_hides_no_change(project: Project) -> None:
    subjects = Subjects(project.config())
    artefact = subjects.resolve("shipped")
    assert isinstance(artefact, Artefact)
    assert not artefact.changed()
    status = artefact.path.stat()
    data = artefact.path.read_bytes()
    artefact.path.write_bytes(b"9" + data[1:])
    os.utime(artefact.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert artefact.changed()


def test_a_link_that_is_turned_is_a_change(tmp_path: Path, project: Project) -> None:
    (tmp_path / "link").symlink_to(project.root / "data" / "shipped.txt")
    artefact = Subjects(project.config(), {"shipped": tmp_path / "link"}).resolve("shipped")
    assert isinstance(artefact, Artefact)
    (tmp_path / "other").symlink_to(project.root / "data" / "shipped.txt")
    (tmp_path / "other").replace(tmp_path / "link")
    assert artefact.changed()


def test_a_builder_that_writes_nothing_is_one_message(project: Project) -> None:
    building(project, "nothing")
    ended = project.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 4
    assert (
        "subject built could not be built: CheckError: builder small_checks.building:nothing returned"
        in ended.out
    )
    assert project.evidence() == {}


def test_several_subjects_are_read_together_and_known_then(project: Project) -> None:
    subjects = Subjects(project.config(), {"far-away": project.root / "data" / "shipped.txt"})
    subjects.read_together(["shipped", "stand-in", "far-away", "shipped"])
    known = dict(subjects._known)
    assert sorted(known) == ["far-away", "shipped", "stand-in"]
    assert all(subjects.resolve(name) is artefact for name, artefact in known.items())
    (project.root / "data" / "stand-in.txt").write_bytes(b"other")
    with pytest.raises(SubjectError, match="stand-in is not the one"):
        Subjects(project.config()).read_together(["shipped", "stand-in"])


def test_a_digest_that_is_not_the_pinned_one_is_computed_before_bytes_are_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pv.digests.DigestCache.get", lambda _cache, _path: "0" * 64)
    found = Subjects(project.config()).resolve("shipped")
    assert isinstance(found, Artefact)
    assert found.sha256 == project.config().subjects["shipped"].sha256


def test_a_big_subject_that_has_settled_is_read_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = project.root / "data" / "far-away.txt"
    big.write_bytes(b"1.0\n" * (1 << 19))
    an_hour_on = time.time_ns() + 3600 * 10**9
    monkeypatch.setattr("pv.digests.DigestCache.__init__.__defaults__", (lambda: an_hour_on,))
    first = Subjects(project.config()).resolve("far-away")
    monkeypatch.setattr("hashlib.file_digest", None)
    second = Subjects(project.config()).resolve("far-away")
    assert isinstance(first, Artefact)
    assert isinstance(second, Artefact)
    assert first.sha256 == second.sha256 == hashlib.sha256(big.read_bytes()).hexdigest()


def test_a_builder_reads_nothing_that_its_key_would_not_name(project: Project) -> None:
    (project.root / "small_checks" / "factor.txt").write_text("2\n", encoding="ascii")
    building(project, "hiding")
    ended = project.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 4, ended.said
    assert "the builder read small_checks/factor.txt, which evidence would not name" in ended.out
    assert project.evidence() == {}


def test_a_builder_may_read_what_it_puts_together_beside_its_output(project: Project) -> None:
    building(project, "beside")
    assert project.pv("discharge", "FALSIFY-SMALL-001").code == 0
