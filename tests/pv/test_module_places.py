from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pv.module_places import LIBRARIES, STANDARD, RealPaths, environment_of
from tests.pv.conftest import ROOT


def test_a_real_path_is_that_of_python(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("a/one", "a/b/two"):
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "a" / "twin").symlink_to("b/two")
    (tmp_path / "a" / "circle").symlink_to("circle")
    (tmp_path / "a" / "broken").symlink_to("nowhere")
    parts = st.lists(
        st.sampled_from(["a", "b", "link", "one", "two", "twin", "circle", "broken", "gone", "..", ".", ""]),
        max_size=5,
    )

    @settings(deadline=None, max_examples=300)
    @given(parts=parts)
    def hold(parts: list[str]) -> None:
        path = "/".join([str(tmp_path), *parts])
        assert real(path) == real(path) == os.path.realpath(path)

    real = RealPaths()
    hold()


def test_a_real_path_of_the_working_folder_is_that_of_python() -> None:
    for path in ("x.py", "./x.py", "", ".", "..", "/", "//x", "x/"):
        assert RealPaths()(path) == os.path.realpath(path)


def test_the_environment_is_that_of_the_interpreter_and_of_the_engine() -> None:
    places = environment_of("/nowhere")
    assert {*STANDARD, *LIBRARIES, str(ROOT / "pv")} == {*places}
    assert os.path.realpath(sysconfig.get_path("stdlib")) in STANDARD
    assert os.path.realpath(sysconfig.get_path("purelib")) in LIBRARIES
    assert os.path.realpath(sys.prefix) not in places
    assert os.path.realpath(sys.prefix) in environment_of(str(Path(sys.prefix).parent))
