"""The digest of a source is the same under every Python that we support."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13")

PROGRAM = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from pv.closure import find_closure, normalise
asked = json.load(sys.stdin)
sources = [Path(source) for source in asked["sources"]]
found = {}
if asked["roots"]:
    closure = find_closure(asked["roots"], sources)
    found = {"all of them": closure.sha256}
    found |= {str(path): dict(closure.digests)[name] for name, path in closure.modules}
for name in set(asked["files"]) - set(found):
    found[name] = hashlib.sha256(normalise(Path(name).read_bytes())).hexdigest()
print(json.dumps(["%d.%d" % sys.version_info[:2], found]))
"""

HARD: dict[str, bytes] = {
    "nested quotes": b"""d = {'a': 1}\nx = f"{d['a']} # no comment {d['a']!r:>{d['a'] + 5}}" # comment\n""",
    "a hash in f-strings": b"""x = f'{"#"}#{1:#x}' # comment\ny = f'''#\n# {1}\n#{2:#b}''' # comment\n""",
    "many lines in an f-string": b"x = f'''\n{\n1\n+ 2\n} # no comment\n{ 'a' 'b' }\n''' # comment\n",
    "implicit joining": b"x = ('a' # one\n  f'b{1}' # two\n  'c' # three\n  f'' f'd')\n",
    "debugging": b"a = 1\nx = f'{a=} { a = } {a = !r:>5} {a=:>{a}}'\n",
    "doubled braces": b"a = 1\nx = f'{{}} {{{a}}} }}{{ {{a}}'\n",
    "empty pieces": b"a = 1\nx = f'' f'{a}' f'' f'{a:}' f'{a!s:}' rf'{a}\\d'\n",
    # 3.12 adds an empty piece after the inner field; 3.11 and 3.13 do not.
    "nested format specifications": b"a = b = 1\nx = f'{a:{b}}' f'{a:>{b}}}}' f'{a:{b}d}' f'{a:{{}}}'\n",
    "named characters": b"x = f'\\N{EN DASH} \\N{BULLET}{1}\\N{EN DASH}' '\\N{EM DASH}'\n",
    "escapes that are none": b"x = '\\d\\q' + f'\\d{1}' + b'\\d'.decode()\n",
    "a lambda in an f-string": b"x = f'{(lambda y: y)(1):>3}'\n",
    "walrus": b"x = f'{(y := 1)}' if (z := 2) else [w for v in () if (w := v)]\n",
    "match": (
        b"match 1:\n  case {'a': [1, *_], **rest} | None: pass\n  case str(x=1) as y if y: ...\n"
        b"  case -1 | 1+2j | (True | False): pass\n  case _: pass\n"
    ),
    "decorators": b"@(lambda f: f)\n@print # why\nclass A(B := C, metaclass=D):\n  @E\n  def f(): ...\n",
    "async": b"async def f():\n  async with a as b, c: return [x async for x in y]\n  await z\n",
    "exception groups": b"try: pass\nexcept* ValueError as e: raise\nelse: pass\nfinally: pass\n",
    "with in brackets": b"with (open('a') as a, open('b') as b,): pass\n",
    "unpacking": b"a, *b = *c, *d\nx = {**a, None: 1, **b}; y = [*a]; f(*a, **b)\n",
    "parameters": b"def f(a, /, b=1, *c, d, e=2, **g) -> 'x': return a\nl = lambda *a, b=1: a\n",
    "starred index": b"x = a[*b, 1:2, ...]\ndef f(*args: *Ts): ...\n",
    "line continuations": b"x = 1 + \\\n  2\nif x and \\\n   x:\n    y = 'a\\\nb'\n",
    "form feeds and tabs": b"def f():\n\tif 1:\n\t\treturn 1\n\x0c\ndef g():\n\x0c        return 2\n",
    "line ends": b"x = '''a\r\nb\r\n'''\r\ny = 1\rz = 2\n",
    "no last line end": b"x = 1\nif x:\n    y = 2 # comment",
    "mark of byte order": b"\xef\xbb\xbfx = '\xc3\xa9'\n",
    "encoding": b"# -*- coding: latin-1 -*-\nx = '\xe9'\n",
    "names": "\u212b = 1\nﬁ = 2\nx = 'ﬁ\u0301\U0001f600\ud7ff'\n".encode(),
    "lone surrogates": b"x = '\\ud800' '\\udfff'\ny = f'\\ud800{x}'\n",
    "characters that are newer than some tables": "x = '\U0001fae8\U00031350\u2ffc'\n".encode(),
    "numbers": b"x = 0xFF, 1_000, 1e400, 1e-400, 0.1, 1j, 1e400j, -0.0, 10**3, " + b"9" * 4000 + b"\n",
    "huge hexadecimal": b"x = 0x" + b"f" * 10_000 + b"\n",
    "docstrings": (
        b"'''a'''\nclass A:\n  'b'\n  x = 1\n  'about x'\n  def f(self):\n    'c' 'd'\n"
        b"  def g(self):\n    f'e'\n"
    ),
    "other constants alone": b"1\n...\nNone\nb'x'\nx = 2\n",
    "nothing": b"",
    "only a comment": b"# a",
    "type comments": b"x = [] # type: list\ndef f(a): # type: (int) -> int\n  return a\n# type: ignore\n",
    "nested calls": b"x = " + b"f(" * 80 + b"1" + b")" * 80 + b"\n",
    "a long sum": b"x = " + b" + ".join([b"1"] * 500) + b"\n",
    "the spelling itself": b"x = 'str 1 a\\x00]\\x00Constant'\n",
    "globals": b"def f():\n  global a, b\n  def g():\n    nonlocal c\n    del a, b[0]\n  c = 1\n",
    "slices": b"x = a[1:2, ::3, ...][:][-1]\n",
    "comparisons": b"x = 1 < 2 <= 3 != 4 is not None not in [] in ()\n",
    "yield": b"def f():\n  x = yield\n  y = yield 1\n  yield from (yield)\n",
    "imports": b"from . import a\nfrom ..b import c as d, e\nimport f.g as h\nfrom i import *\n",
}
NEWER: dict[str, bytes] = {
    "quotes within the same quotes": b"""d = {}\nx = f"{d["a"]} {d["#"]}" # comment\n""",
    "comments within": b"x = f'''{ # why\n 1 # because\n}'''\n",
    "backslashes within": b"x = f'{\"\\n\".join([])}'\n",
    "deep nesting": b"""x = f"{f"{f"{f"{1}"}"}"}"\n""",
    "type parameters": b"type A[T] = list[T]\ndef f[T: int, *U, **P](a: T) -> T: return a\nclass B[T]: ...\n",
}
"""Python from 3.12 on."""


def found_interpreters() -> dict[str, str]:
    """Return version → an interpreter of it, where there is one."""
    found = {f"{sys.version_info.major}.{sys.version_info.minor}": sys.executable}
    for version in VERSIONS:
        places = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
        named = [*map(str, places), shutil.which(f"python{version}")]
        # A shim may be there without what it starts.
        works = (
            path for path in named if path and subprocess.run([path, "-c", ""], check=False).returncode == 0
        )
        if version not in found and (path := next(works, None)):
            found[version] = path
    return found


INTERPRETERS = found_interpreters()


def ask(interpreter: str, files: list[Path], roots: list[str]) -> tuple[str, dict[str, str]]:
    asked = {
        "files": [str(file) for file in files],
        "roots": roots,
        "sources": [str(ROOT / source) for source in ("", "runtime", "kernels")],
    }
    done = subprocess.run(
        [interpreter, "-I", "-B", "-W", "error", "-c", PROGRAM, str(ROOT)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    version, found = json.loads(done.stdout)
    return version, found


def checks() -> list[str]:
    """Return the modules of this repository that contracts name, or could."""
    folders = [ROOT / "runtime", ROOT / "kernels"]
    found = [
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for folder in folders
        for path in sorted(folder.rglob("checks/*.py"))
        if path.name != "__init__.py"
    ]
    assert found
    return found


def files_of_the_repository() -> list[Path]:
    return sorted(path for folder in ("pv", "runtime", "kernels") for path in (ROOT / folder).rglob("*.py"))


@functools.cache
def digests_of_the_repository(interpreter: str) -> tuple[str, dict[str, str]]:
    return ask(interpreter, files_of_the_repository(), checks())


@pytest.mark.parametrize("version", VERSIONS)
def test_each_python_digests_this_repository_alike(version: str) -> None:
    if version not in INTERPRETERS:
        pytest.skip(f"no Python {version} on this host")
    ran, found = digests_of_the_repository(INTERPRETERS[version])
    assert ran == version
    assert found == digests_of_the_repository(sys.executable)[1]
    assert set(map(str, files_of_the_repository())) < set(found)
    assert len(set(found.values())) > len(found) / 2


@pytest.mark.parametrize("version", VERSIONS)
def test_each_python_digests_hard_sources_alike(version: str, tmp_path: Path) -> None:
    if version not in INTERPRETERS:
        pytest.skip(f"no Python {version} on this host")
    names = {}
    for number, (name, source) in enumerate(HARD.items()):
        path = tmp_path / f"{number}.py"
        path.write_bytes(source)
        names[str(path)] = name
    files = [Path(path) for path in names]
    theirs, ours = (ask(python, files, [])[1] for python in (INTERPRETERS[version], sys.executable))
    assert [names[path] for path in names if theirs[path] != ours[path]] == []


def test_newer_syntax_is_digested_alike_where_it_is_known(tmp_path: Path) -> None:
    newer = [INTERPRETERS[version] for version in VERSIONS[1:] if version in INTERPRETERS]
    if len(newer) < 2:
        pytest.skip("fewer than two of Python 3.12 and 3.13 on this host")
    for number, source in enumerate(NEWER.values()):
        (tmp_path / f"{number}.py").write_bytes(source)
    first, second = (ask(python, sorted(tmp_path.glob("*.py")), [])[1] for python in newer)
    assert first == second
    assert len(set(first.values())) == len(NEWER)
