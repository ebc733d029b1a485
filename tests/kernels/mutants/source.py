"""One change of a module's text, and the functions in which changes are made."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Change", "Scope", "changed", "statement"]

_COMMENT = re.compile(rb"#[^\n]*")


@dataclass(frozen=True)
class Change:
    """A node of a module's tree, and the text that stands in its place."""

    node: ast.expr | ast.stmt
    text: str


@dataclass(frozen=True)
class Scope:
    """A function, with what operators ask about a node's surroundings."""

    function: ast.FunctionDef
    inside: list[ast.AST] = field(init=False)
    parents: dict[ast.AST, ast.AST] = field(init=False)

    def __post_init__(self) -> None:
        """Note every node and its parent."""
        object.__setattr__(self, "inside", list(ast.walk(self.function)))
        pairs = {child: node for node in self.inside for child in ast.iter_child_nodes(node)}
        object.__setattr__(self, "parents", pairs)

    def parameters(self, suffix: str) -> list[str]:
        """Return the parameters whose names end in `suffix`, in order."""
        arguments = self.function.args
        return [a.arg for a in (*arguments.args, *arguments.kwonlyargs) if a.arg.endswith(suffix)]

    def next_parameter(self, name: str, suffix: str) -> str | None:
        """Return the parameter after `name` of those that end in `suffix`, if there is another."""
        names = self.parameters(suffix)
        if name not in names or len(names) < 2:
            return None
        return names[(names.index(name) + 1) % len(names)]

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes that `node` lies in, the nearest first."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def nodes(self) -> Iterator[ast.expr | ast.stmt]:
        """Yield what may be changed: the body without annotations and without its docstring."""
        for part in self.function.body:
            if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
                continue
            pending: list[ast.AST] = [part]
            while pending:
                node = pending.pop(0)
                if isinstance(node, ast.expr | ast.stmt):
                    yield node
                omitted = node.annotation if isinstance(node, ast.AnnAssign) else None
                pending += [child for child in ast.iter_child_nodes(node) if child is not omitted]


def _bytes_at(text: bytes, line: int, column: int) -> int:
    return sum(len(part) for part in text.splitlines(keepends=True)[: line - 1]) + column


def _span(text: bytes, node: ast.expr | ast.stmt) -> tuple[int, int]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    begin = _bytes_at(text, node.lineno, node.col_offset)
    return begin, _bytes_at(text, node.end_lineno, node.end_col_offset)


def changed(text: str, change: Change) -> str:
    """Return `text` with the change made; all other lines stay where they are."""
    raw = text.encode()
    begin, end = _span(raw, change.node)
    # As many lines as before, so that what follows keeps its numbers.
    lines = raw[begin:end].count(b"\n")
    inner = change.text.encode() + b"\n" * lines if isinstance(change.node, ast.stmt) else b""
    if not inner:
        inner = b"(" + change.text.encode() + b"\n" * lines + b")"
    return (raw[:begin] + inner + raw[end:]).decode()


def statement(text: str, scope: Scope, change: Change) -> tuple[str, str]:
    """Return the statement that the change lies in, before and after, each on one line without comments."""
    raw = text.encode()
    whole = next(node for node in (change.node, *scope.above(change.node)) if isinstance(node, ast.stmt))
    begin, end = _span(raw, whole)
    if isinstance(whole, ast.For | ast.If | ast.While | ast.With):
        end = _span(raw, whole.body[0])[0]
    first, last = _span(raw, change.node)
    after = raw[begin:first] + change.text.encode() + raw[last:end]
    return _one_line(raw[begin:end]), _one_line(after)


def _one_line(text: bytes) -> str:
    return " ".join(_COMMENT.sub(b"", text).decode().split())
