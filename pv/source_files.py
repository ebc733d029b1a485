"""The source closure of a ``pytest:`` or ``command:`` check, by path: what its measurements depend on.

Of a test: its file, every conftest.py from the project's root to it, pytest's settings, and all project
modules that these import. Of a command: what its words and its environment name (:mod:`pv.command_files`),
with what its scripts import. Of both: ``sources:``, and what counter-examples put in the place of something.
A Python file counts by what it does (:func:`pv.closure.normalise`), unless a command may read it as text: as
any other, it then counts by its bytes.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pv.canonical import digest_of
from pv.closure import Closure, Scan, closure_digest, find_closure, scan
from pv.command_files import modules_of_words, named_in_environment, named_in_words
from pv.config import Config
from pv.contract import Falsifier
from pv.digests import DigestCache, digest_path
from pv.errors import BindingError
from pv.named_subjects import subjects_built_from
from pv.pytest_settings import conftests, find_settings
from pv.python_source import not_python
from pv.subjects import DIGESTS

__all__ = ["declared_closure", "search_path"]

_ENGINE = "pv"


def declared_closure(falsifier: Falsifier, config: Config) -> Closure:
    """Return the closure of a falsifier with ``pytest:`` or ``command:``; its parts are named by path.

    Raises
    ------
    BindingError
        A Python file of it cannot be parsed, or a file that the clause names is not there.
    ConfigError
        A subject is not in ``pv.toml``.
    """
    key = frozenset({digest_of(dict(falsifier.raw))})
    if key not in config.closures:
        config.closures[key] = _closure(falsifier, config)
    return config.closures[key]


def _closure(falsifier: Falsifier, config: Config) -> Closure:
    starts = _starts(falsifier, config)
    folders = search_path(falsifier, config)
    files, outside = _follow(starts, folders, config)
    for name in _builders(falsifier, config):
        built = find_closure([name], config.sources)
        files |= {path.resolve() for _, path in built.modules}
        outside |= set(built.outside)
    if falsifier.pytest is not None:
        outside.add("pytest")
    parts = {config.relative(file): file for file in sorted(files)}
    cache = DigestCache(config.root / DIGESTS)
    digests = [(name, _digest(file, starts, config, cache)) for name, file in parts.items()]
    digests += starts.settings
    cache.save()
    return Closure(
        tuple(sorted(parts.items())), tuple(sorted(outside)), closure_digest(digests), tuple(sorted(digests))
    )


def search_path(falsifier: Falsifier, config: Config) -> tuple[Path, ...]:
    """Return the folders in which the project modules of a test or command are looked for, in order."""
    folders: dict[Path, None] = {}
    if falsifier.pytest is not None:
        test = (config.root / falsifier.pytest.split("::")[0]).resolve()
        for file in (test, *reversed(conftests(test, config.root))):
            folders[_above_packages(file)] = None
        folders |= dict.fromkeys(find_settings(test, config.root).search_path)
    else:
        named = named_in_words(falsifier.command or (), config, falsifier.value_where("command"))
        folders |= dict.fromkeys(script.parent for script in named.scripts)
    folders |= dict.fromkeys(config.sources)
    if falsifier.command is not None and {"-m", "-c"} & set(falsifier.command):
        folders[config.root] = None
    return tuple(folder.resolve() for folder in folders)


@dataclasses.dataclass
class _Starts:
    """The files that a clause names: `scripts` are Python by any name, of `texts` the bytes count."""

    files: list[Path] = dataclasses.field(default_factory=list)
    scripts: set[Path] = dataclasses.field(default_factory=set)
    texts: set[Path] = dataclasses.field(default_factory=set)
    settings: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    """Parts that are no file: of pytest's settings."""

    def is_python(self, file: Path) -> bool:
        return file.suffix == ".py" or file in self.scripts


def _starts(falsifier: Falsifier, config: Config) -> _Starts:
    starts = _Starts()
    named = [path for source in falsifier.sources for path in _files_of(config.root / source, falsifier)]
    if falsifier.pytest is not None:
        test = (config.root / falsifier.pytest.split("::")[0]).resolve()
        starts.files += [test, *conftests(test, config.root)]
        settings = find_settings(test, config.root)
        if settings.file is not None:
            part = f"pytest settings of {config.relative(settings.file)}"
            starts.settings.append((part, digest_of(settings.values)))
    else:
        starts.texts |= set(named)
        folders = search_path(falsifier, config)
        words = falsifier.command or ()
        # Python imports the last two by itself where they are.
        for name in (*modules_of_words(words), "sitecustomize", "usercustomize"):
            starts.files += [file for file in _module_files(name, folders) if file.is_file()]
        _add_words(starts, words, falsifier.environment, falsifier, config)
    for replacement in falsifier.replacements.values():
        for path in (*replacement.subjects.values(), *replacement.modules.values()):
            found = _files_of(config.root / path, falsifier)
            named += found
            if path in replacement.subjects.values():
                starts.texts |= set(found)
        named += [(config.root / module).resolve() for module in replacement.modules]
        program = (falsifier.command or ("",))[:1]
        words = (*program, *(replacement.arguments or ()))
        _add_words(starts, words, replacement.environment, falsifier, config)
    starts.files += named
    return starts


def _add_words(
    starts: _Starts,
    words: Sequence[str],
    environment: Mapping[str, str],
    falsifier: Falsifier,
    config: Config,
) -> None:
    """Add what words and variables name; what a test is told by them, it is seen to read."""
    where = falsifier.key_where("command" if falsifier.pytest is None else "counter_examples")
    named = named_in_words(words, config, where)
    starts.scripts |= set(named.scripts)
    texts = list(named.others)
    if falsifier.pytest is None:
        texts += named_in_environment(environment, config, where)
    starts.texts |= set(texts) - set(named.scripts)
    starts.files += [*named.scripts, *texts]


def _files_of(path: Path, falsifier: Falsifier) -> list[Path]:
    if path.is_file():
        return [path.resolve()]
    if not path.is_dir():
        raise BindingError(
            f"{path.name} is not there", where=falsifier.where, remedy="correct the path, or add the file"
        )
    found = [file for file in sorted(path.rglob("*")) if file.is_file() and "__pycache__" not in file.parts]
    return [file.resolve() for file in found]


def _builders(falsifier: Falsifier, config: Config) -> Iterator[str]:
    for spec in subjects_built_from(falsifier, config):
        if spec.builder:
            yield spec.builder.split(":")[0]


def _follow(starts: _Starts, folders: Sequence[Path], config: Config) -> tuple[set[Path], set[str]]:
    """Follow the imports of `starts`; return all project files, and the outside modules."""
    files: set[Path] = set()
    outside: set[str] = set()
    waiting = [*starts.files]
    module_files = functools.cache(_module_files)  # a file is imported by many
    while waiting:
        file = waiting.pop()
        if file in files:
            continue
        files.add(file)
        if not starts.is_python(file):
            continue
        own = _above_packages(file)
        waiting += _package_files(file, own)
        try:
            imports = _imports(file, config)
        except BindingError:
            if file not in starts.texts:
                raise
            continue  # a text, whatever its name
        for level, module, imported in imports:
            if level:
                base = file.parents[level - 1] if level <= len(file.parents) else file.parent
                where: tuple[Path, ...] = (base,)
            else:
                where = (own, *folders)
            if module.split(".")[0] == _ENGINE and not level:
                continue
            found = list(module_files(module, where)) if module else []
            if imported:
                found += module_files(f"{module}.{imported}".lstrip("."), where, whole=True)
            if not found and not level:
                outside.add(module)
            waiting += found
    return files, outside


def _module_files(name: str, folders: Sequence[Path], *, whole: bool = False) -> Sequence[Path]:
    """Return the files that importing `name` runs, from the first folder that has it: packages, then it."""
    parts = name.split(".")
    for folder in folders:
        base = folder.joinpath(*parts)
        last = next(
            (f for f in (base / "__init__.py", base.with_name(f"{base.name}.py")) if f.is_file()), None
        )
        if last is None and (whole or not base.is_dir()):
            continue
        packages = [folder.joinpath(*parts[:count], "__init__.py") for count in range(1, len(parts))]
        found = [file for file in packages if file.is_file()]
        if last is not None:
            found.append(last)
        if found:
            return [file.resolve() for file in found]
    return []


def _above_packages(file: Path) -> Path:
    """Return the folder that must be on the path for `file` to be imported by its full name."""
    folder = file.parent
    while (folder / "__init__.py").is_file() and folder.parent != folder:
        folder = folder.parent
    return folder


def _package_files(file: Path, top: Path) -> list[Path]:
    return [folder / "__init__.py" for folder in file.parents if top in folder.parents]


def _digest(file: Path, starts: _Starts, config: Config, cache: DigestCache) -> str:
    if file in starts.texts or not starts.is_python(file):
        return digest_path(file, (), cache)[0]
    return _scanned(file, config).sha256


def _imports(file: Path, config: Config) -> list[tuple[int, str, str | None]]:
    found = _scanned(file, config)
    return [
        *(each for each in found.imports if each[1] != "__future__"),
        *((0, name, None) for name in found.plugins),
    ]


def _scanned(file: Path, config: Config) -> Scan:
    try:
        return scan(file)
    except BindingError as error:
        raise not_python(error.__cause__, config.relative(file)) from error.__cause__
