"""What the judgement of contracts reads besides them, into a partial tree: evidence, sources, files."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence

from pv.contract import Contract, Falsifier
from pv.gate_layout import Layout, is_below
from pv.gate_scope import Scope
from pv.gate_tree import PartialTree
from pv.references import find_references, texts_and_steps

__all__ = ["add_inputs"]

_SETTINGS_OF_PYTEST = frozenset(
    {"pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"}
)


def add_inputs(view: PartialTree, layout: Layout, contracts: Sequence[Contract], scope: Scope) -> None:
    """Write into `view` what rules and statuses of `contracts` look at.

    Raises
    ------
    SelectionError
        Git does not have the bytes.
    """
    entries = view.tree.entries
    wanted: set[str] = set()
    stems = {contract.stem for contract in contracts}
    if any(falsifier.basis for contract in contracts for falsifier in contract.falsifiers):
        stems |= {path.rpartition("/")[2].rpartition(".")[0] for path in scope.support}
    wanted |= {path for path in entries if layout.recorded(path) in stems}
    falsifiers = [falsifier for contract in contracts for falsifier in contract.falsifiers]
    if any(falsifier.bound for falsifier in falsifiers):
        wanted |= {path for path in entries if layout.is_source(path)}
    if running := [one for one in falsifiers if one.pytest is not None or one.command is not None]:
        wanted |= set(_files_of_programs(view, layout, running))
    view.add(path for path in wanted if not layout.is_subject(path))
    # Pins stand for the bytes of subjects, which may be large; but a command may name small ones.
    view.add_small(path for path in wanted if layout.is_subject(path))
    view.add_small(_referred(view, contracts))
    # A reference counts only where its first folder is one of the repository.
    for folder in {path.partition("/")[0] for path in entries if "/" in path}:
        (view.top / folder).mkdir(exist_ok=True)


def _files_of_programs(view: PartialTree, layout: Layout, running: Iterable[Falsifier]) -> Iterator[str]:
    """Yield what tests and commands may import, the settings of pytest, and what the words name."""
    entries = view.tree.entries
    for path in entries:
        if layout.is_within(path) and (
            path.endswith(".py") or path.rpartition("/")[2] in _SETTINGS_OF_PYTEST
        ):
            yield path
    for named in {name for falsifier in running for name in _words(falsifier)}:
        place = layout.within(named)
        if place in entries:
            yield place
        elif any(is_below(path, place) for path in entries):
            yield from (path for path in entries if is_below(path, place))


def _words(falsifier: Falsifier) -> Iterator[str]:
    replaced = falsifier.replacements.values()
    words = [*(falsifier.command or ()), *falsifier.environment.values(), *falsifier.sources]
    words += [falsifier.pytest] if falsifier.pytest else []
    for one in replaced:
        words += [*one.subjects.values(), *one.environment.values(), *one.modules, *one.modules.values()]
        words += one.arguments or ()
    for word in words:
        for part in (word, word.rpartition("=")[2], word.partition("::")[0]):
            if part and not part.startswith("/"):
                yield posixpath.normpath(part)


def _referred(view: PartialTree, contracts: Iterable[Contract]) -> Iterator[str]:
    """Yield the files that texts of the contracts may mean, wherever in the repository."""
    references = (
        ref for c in contracts for text, _, _ in texts_and_steps(c) for ref in find_references(text)
    )
    ends = tuple({f"/{reference.path}" for reference in references})
    if ends:
        yield from (path for path in view.tree.entries if f"/{path}".endswith(ends))
