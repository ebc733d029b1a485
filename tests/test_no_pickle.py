"""Nothing of ours reads what runs code as it is read: no pickle, in no file, cache or fallback."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RUNS_CODE = {"pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "jsonpickle"}


def offences(tree: ast.AST) -> Iterator[str]:
    """Imports of what reads pickles, and calls of libraries that may."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [each.name for each in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            )
            yield from (f"line {node.lineno}: {name}" for name in names if name.split(".")[0] in RUNS_CODE)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            call = ast.unparse(node.func)
            given = {each.arg: ast.unparse(each.value) for each in node.keywords}
            if call in {"torch.load", "pd.read_pickle", "pandas.read_pickle"}:
                yield f"line {node.lineno}: {call}"
            if call in {"np.load", "numpy.load"} and given.get("allow_pickle", "False") != "False":
                yield f"line {node.lineno}: {call} that may read pickles"


@pytest.mark.parametrize("folder", ["pv", "runtime", "kernels", "models"])
def test_nothing_of_ours_can_read_a_pickle(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    found = {
        str(path.relative_to(ROOT)): list(offences(ast.parse(path.read_text(encoding="utf-8"))))
        for path in files
    }
    assert {path: said for path, said in found.items() if said} == {}


@pytest.mark.parametrize(
    "code",
    ["import pickle", "from dill import loads", "torch.load(x, weights_only=True)",
     "np.load(x, allow_pickle=True)", "def f():\n    import cloudpickle as c"],
)  # fmt: skip
def test_each_way_to_read_one_is_seen(code: str) -> None:
    assert len(list(offences(ast.parse(code)))) == 1
