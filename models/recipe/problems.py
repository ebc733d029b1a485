"""A small benchmark of completion: lines of the held-out text, cut, to be gone on with to their end.

Each problem is one function of the text, as far as a place in one of its lines. Whether a completion is
right is told from the function that comes of it, which is compiled and never called. Three kinds:

brackets
    The line ends within brackets: they must be closed, each by its own, and the code must parse.
parsable
    The line ends where something is missing: the code must parse, and the new piece must name something
    that the function knows, other than ``self``.
identifier
    The line ends before a name that the function has used: the code must parse, and name it once more.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import hashlib
import io
import itertools
import json
import keyword
import re
import textwrap
import tokenize
from collections.abc import Iterator
from pathlib import Path

EACH = 16
"""Problems of each kind."""

KINDS = ("brackets", "parsable", "identifier")
_MOST_CHARACTERS = 900
"""Of a prompt: with the model's tokenizer some 300 tokens, of 512 that it was made for."""
_FEWEST_LINES = 3
_OPEN, _CLOSE = "([{", ")]}"
_WANTING = {"=", "+=", "==", "!=", "and", "or", "in", "not", "is", "+", "-", "%", "if", "else", "(", "[", ","}
"""Tokens after which a line cannot end."""
_FORMATTED = re.compile(r"\b[rR]?[fF][rR]?[\"']")
"""One token up to Python 3.11, and several from 3.12 on."""
_UNKNOWN = {"self", "cls", *keyword.kwlist, *dir(builtins)}

_DEFINED = """\
def check(candidate):
    assert callable(candidate)
"""
_NAMED = '''\
import dis

BEFORE = {before!r}
NAMES = {names!r}


def named(code):
    """Count how often `code`, and what is compiled within it, names one of NAMES."""
    count = 0
    for instruction in dis.get_instructions(code):
        value = instruction.argval
        count += sum(each in NAMES for each in (value if isinstance(value, tuple) else (value,)))
    return count + sum(named(each) for each in code.co_consts if hasattr(each, "co_code"))


def check(candidate):
    scope = {{}}
    exec(BEFORE, scope)
    assert named(candidate.__code__) > named(scope[{function!r}].__code__)
'''


@dataclasses.dataclass(frozen=True)
class Cut:
    """A place in a line of a function.

    Parameters
    ----------
    function
        Its qualified name.
    before
        The function up to the line, and ``pass`` in its place.
    prompt, rest
        The function up to the place; the line from there on.
    token
        The token before the place.
    opened
        Brackets that are open there, outermost first.
    known
        Names that the function has used in the lines before, and not yet in this one.
    wanted
        The name that comes next, if one does and the line has not had it.
    """

    function: str
    before: str
    prompt: str
    rest: str
    token: str
    opened: str
    known: tuple[str, ...]
    wanted: str | None


def build_problems(text: str) -> list[dict[str, object]]:
    """Choose problems in the order of SHA-256 of what they are, so that none is picked by hand.

    A function occurs once in a kind, an identifier is asked for once, and brackets that are open in one way
    are to be closed five times at most: no one answer is right of many.
    """
    cuts = list(_cuts(text))
    found = []
    for kind in KINDS:
        functions: set[str] = set()
        wanted: dict[str, int] = {}
        for cut in sorted(cuts, key=lambda cut: _rank(kind, cut)):
            problem = _problem(kind, cut)
            what = _asked(kind, cut)
            most = 5 if kind == "brackets" else 1
            if problem is None or cut.function in functions or wanted.get(what, 0) == most:
                continue
            functions.add(cut.function)
            wanted[what] = wanted.get(what, 0) + 1
            found.append(problem)
            if len(functions) == EACH:
                break
    return found


def write_problems(out: Path) -> None:
    """Write completion.jsonl into `out`, from the held-out text that lies there."""
    problems = build_problems((out / "heldout.txt").read_text(encoding="utf-8"))
    lines = [json.dumps(problem) for problem in problems]
    (out / "completion.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _rank(kind: str, cut: Cut) -> bytes:
    return hashlib.sha256(f"{kind}\0{cut.function}\0{cut.prompt}".encode()).digest()


def _asked(kind: str, cut: Cut) -> str:
    """Return what is not to be asked too often, or a constant answer would do."""
    return {"brackets": cut.opened, "parsable": cut.prompt, "identifier": cut.wanted or ""}[kind]


def _problem(kind: str, cut: Cut) -> dict[str, object] | None:
    """Return the problem, None where the place is no good for one of this kind."""
    name = cut.function.rsplit(".", 1)[-1]
    if kind == "brackets":
        good = bool(cut.opened) and cut.token not in {*_OPEN, ",", "."} and cut.rest.strip()[0] not in _CLOSE
        names: tuple[str, ...] = ()
    elif kind == "parsable":
        good = cut.token in _WANTING and bool(cut.known)
        names = cut.known
    else:
        good = cut.wanted in cut.known and cut.token in {*_WANTING, "."}
        names = (cut.wanted or "",)
    if not good:
        return None
    test = _NAMED.format(before=cut.before, names=names, function=name) if names else _DEFINED
    problem: dict[str, object] = {
        "task_id": f"{kind}/{cut.function}",
        "prompt": cut.prompt,
        "entry_point": name,
        "canonical_solution": cut.rest,
        "test": test,
        "stop": ["\n"],
    }
    right = _passes(cut.prompt + cut.rest, name, test)
    return problem if right and not _passes(cut.prompt, name, test) else None


def _passes(program: str, name: str, test: str) -> bool:
    names: dict[str, object] = {}
    try:
        exec(compile(program, "<program>", "exec"), names)  # noqa: S102 - of the text that we ship
        exec(test, names)  # noqa: S102
        names["check"](names[name])  # type: ignore[operator]
    except Exception:
        return False
    return True


def _cuts(text: str) -> Iterator[Cut]:
    for name, function in _functions(ast.parse(text), ""):
        source = textwrap.dedent("\n".join(text.split("\n")[function.lineno - 1 : function.end_lineno]))
        lines = source.split("\n")
        for node in ast.walk(ast.parse(source)):
            simple = isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.Return | ast.Raise)
            if not isinstance(node, ast.stmt) or not simple or node.lineno != node.end_lineno:
                continue
            above = lines[: node.lineno - 1]
            if len(above) >= _FEWEST_LINES and lines[node.lineno - 1][: node.col_offset].isspace():
                yield from _in_line(name, above, lines[node.lineno - 1])


def _functions(tree: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the functions of modules and classes by qualified name; the first of one name only."""
    seen = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef) and node.name not in seen:
            seen.add(node.name)
            yield f"{prefix}{node.name}", node


def _in_line(function: str, above: list[str], line: str) -> Iterator[Cut]:
    head = "".join(f"{each}\n" for each in above)
    known = _names_in("\n".join([*above, " " * (len(line) - len(line.lstrip())) + "pass"]))
    if known is None or len(head) + len(line) > _MOST_CHARACTERS or _FORMATTED.search(line):
        return
    indent = line[: len(line) - len(line.lstrip())]
    tokens = [
        each for each in tokenize.generate_tokens(io.StringIO(line.strip()).readline) if each.string.strip()
    ]
    opened = ""
    for token, following in itertools.pairwise(tokens):
        opened = opened + token.string if token.string in _OPEN else opened
        opened = opened[:-1] if token.string in _CLOSE else opened
        place = len(indent) + token.end[1]
        # What the line has named already is named once more whatever comes.
        before = {each.string for each in tokens if each.start <= token.start}
        name = following.string
        yield Cut(
            function=function,
            before=f"{head}{indent}pass\n",
            prompt=head + line[:place],
            rest=line[place:],
            token=token.string,
            opened=opened,
            known=tuple(sorted(known - before)),
            wanted=name if name.isidentifier() and len(name) > 2 and name not in before | _UNKNOWN else None,
        )


def _names_in(source: str) -> set[str] | None:
    """Return the names of variables, parameters and attributes; None where it does not parse."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    found: set[str] = set()
    for node in ast.walk(tree):
        found |= {node.id} if isinstance(node, ast.Name) else set()
        found |= {node.arg} if isinstance(node, ast.arg) else set()
        found |= {node.attr} if isinstance(node, ast.Attribute) else set()
    return found - _UNKNOWN
