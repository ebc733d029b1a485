from __future__ import annotations

from pathlib import Path

import pytest
from pv_runtime.build_problems import some_problems


@pytest.mark.parametrize(("every", "kept"), [(1, b"a\nb\nc\nd\ne\n"), (2, b"a\nc\ne\n"), (9, b"a\n")])
def test_every_so_many_th_line_is_kept(tmp_path: Path, every: int, kept: bytes) -> None:
    (tmp_path / "all").write_bytes(b"a\nb\nc\nd\ne\n")
    some_problems(str(tmp_path / "all"), str(tmp_path / "some"), every=every)
    assert (tmp_path / "some").read_bytes() == kept


def test_none_in_no_steps_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="every is 0"):
        some_problems(str(tmp_path / "all"), str(tmp_path / "some"), every=0)
