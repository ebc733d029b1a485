from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Write a module and import it; each has a name of its own."""
    made: list[str] = []
    sys.path.insert(0, str(tmp_path))

    def make(source: str) -> ModuleType:
        name = f"subject_{abs(hash(str(tmp_path)))}_{len(made)}"
        made.append(name)
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield make
    sys.path.remove(str(tmp_path))
    for name in made:
        sys.modules.pop(name, None)
