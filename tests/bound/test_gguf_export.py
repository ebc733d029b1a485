"""What FALSIFY-SHIP-004 is bound to: a test, because only a test can say that its peer is not installed.

Without the variables that the contracts set, it exports the shipped model itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pv_runtime.build_export import exported_gguf, quantised_apr
from pv_runtime.checks.gguf_export import gguf_export
from pv_runtime.formats import open_bytes, open_checkpoint
from pv_runtime.llama_process import installed

from pv.check import CounterExample, Value

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]


class Properties:
    """A run as the engine's, whose records are properties of the test."""

    seed, device, level = 0, "cpu", "live"

    def __init__(
        self, tell: Callable[[str, object], None], folder: Path, planted: CounterExample | None
    ) -> None:
        self._tell = tell
        self._folder = folder
        self._planted = planted
        self._undamaged: dict[str, Any] = {}
        self.series: dict[str, list[Value]] = {}

    def record(self, name: str, value: Value, *, label: str | None = None) -> None:
        print(name, value, label or "")
        self._tell(name, value)
        self.series.setdefault(name, []).append(value)

    def role(self, name: str, value: T) -> T:
        self._undamaged[name] = value
        if self._planted is None or self._planted.of != name:
            return value
        damaged: T = self._planted.damage(value)
        return damaged

    def undamaged(self, name: str) -> Any:
        return self._undamaged[name]

    def progress(self, items: Iterable[T], total: int | None = None) -> Iterator[T]:
        del total
        yield from items

    def scratch(self) -> str:
        return str(self._folder)


@pytest.mark.oracle
def test_others_read_what_we_export(record_property: Callable[[str, object], None], tmp_path: Path) -> None:
    if not installed():
        pytest.skip("llama-cpp-python is not installed; where it may be built: make oracles")
    source, exported = os.environ.get("SOURCE"), os.environ.get("EXPORTED")
    if source is None or exported is None:
        source, exported = str(tmp_path / "model.apr"), str(tmp_path / "model.gguf")
        quantised_apr(str(ROOT / "models/tiny-qwen2"), source, quantisation="q4_k_m")
        exported_gguf(source, exported)
    planted = os.environ.get("PLANTED")
    run = Properties(record_property, tmp_path, gguf_export.counter_examples[planted] if planted else None)
    gguf_export(
        run,
        source=run.role("source", open_checkpoint(source)),
        exported=run.role("exported", open_bytes(exported)),
    )
    if not planted:  # what a planted defect does is for the rule of the contract to say
        assert run.series["llama_exit"] == [0]
        assert run.series["differing_elements"] == [0] * len(open_checkpoint(source).names())
