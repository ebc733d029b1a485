from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values


@pytest.fixture(scope="module")
def base(model_folder: Path) -> Checkpoint:
    return open_checkpoint(model_folder)


def test_what_is_not_replaced_shows_through(base: Checkpoint) -> None:
    first, second, *_ = base.names()
    own = from_values(first, (2, 3), lambda: np.full((2, 3), 0.5, np.float32), "F16")
    overlay = Overlay(base, replace={first: own}, drop=[second])
    assert overlay.info(first).nbytes == 12
    assert overlay.tensor(first).tolist() == [[0.5] * 3] * 2
    assert overlay.names() == (first, *base.names()[2:])
    third = base.names()[2]
    assert overlay.raw(third).tobytes() == base.raw(third).tobytes()
    assert (overlay.path, overlay.format, overlay.metadata) == (base.path, base.format, base.metadata)
    for read in (overlay.info, overlay.raw, overlay.tensor):
        with pytest.raises(LoadError, match="there is no tensor"):
            read(second)


def test_nothing_is_made_before_it_is_asked_for(base: Checkpoint) -> None:
    calls: list[int] = []

    def make() -> np.typing.NDArray[np.float32]:
        calls.append(1)
        return np.zeros((1, 2), np.float32)

    overlay = Overlay(base, add={"new": from_values("new", (1, 2), make, "F32")})
    assert overlay.matrices()[-1] == "new"
    assert not calls
    overlay.tensor("new")
    assert len(calls) == 1


def test_mistaken_names_are_refused(base: Checkpoint) -> None:
    tensor = from_values("x", (1,), lambda: np.zeros(1, np.float32), "F32")
    with pytest.raises(LoadError, match="no tensor x"):
        Overlay(base, replace={"x": tensor})
    with pytest.raises(LoadError, match="no tensor y"):
        Overlay(base, drop=["y"])
    with pytest.raises(LoadError, match="there already"):
        Overlay(base, add={base.names()[0]: tensor})


def test_overlays_stack(base: Checkpoint) -> None:
    name = base.names()[0]
    plain = base.tensor(name)
    shape = plain.shape
    doubled = Overlay(base, replace={name: from_values(name, shape, lambda: plain * 2, "F32")})
    again = Overlay(
        doubled, replace={name: from_values(name, shape, lambda: doubled.tensor(name) * 2, "F32")}
    )
    assert np.array_equal(again.tensor(name), plain * 4)
