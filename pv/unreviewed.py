"""Which checks a change that nobody has reviewed had a hand in: they are run only if somebody trusts it.

A check is withheld if anything that decides its verdict changed since the base (:mod:`pv.since`): its clause,
the closure of its source with its counter-examples, tests with their conftest.py and settings, loaders,
builders and subjects. And, since a closure is found by a search that the change can mislead, if the change

- alters what ``pv.toml`` says of more than subjects and policy, such as the folders that have the modules;
- brings a module that could stand for a library's, what is imported and is no Python source, or files of
  the folder in which pv keeps its own;
- touches any file of the project beside contracts, evidence and prose, of a ``command:``: what a program
  reads and runs is not known.

Gates run nothing, and are judged.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from pv.config import Config
from pv.contract import Falsifier
from pv.errors import ConfigError, PvError, SelectionError
from pv.git import Repository, find_repository
from pv.outcome import Discharge
from pv.planning import Declined, levels_of
from pv.regular_file import read_regular_file
from pv.revision_tree import materialised
from pv.selection import Selected
from pv.since import changed_since

__all__ = ["declined", "wanted_base", "withheld"]

_REMEDY = "review what the change does, then with --trust, or once it is merged"

_IMPORTED = (".so", ".pyd", ".pyc", ".pth", ".egg", ".zip")
"""Imported before, or in place of, Python source, or read when an interpreter starts."""
_OWN = ".pv"
_UNREAD = (".md", ".rst")
_GITHUB = "pull_request"
"""What the names of GitHub's events of pull requests begin with."""


def wanted_base(stated: str | None, *, trust: bool) -> str | None:
    """Return the revision that what is to run is held against; None where everything may run.

    That is the `stated` one, or of a pull request, as a CI says by its variables, what it goes into.

    Raises
    ------
    ConfigError
        `trust` is asked for where nothing is distrusted.
    SelectionError
        It is a pull request, and nothing says into what.
    """
    found = _of_github()
    found = _of_gitlab() if found is None else found
    if trust:
        if stated is not None:
            raise ConfigError("--trust and --base exclude each other", remedy="leave one of them out")
        if found is None:
            raise ConfigError(
                "--trust has no use here: no variable says that this is a pull request",
                remedy="leave it out",
            )
        return None
    if stated is not None:
        return stated
    if found == "":
        raise SelectionError(
            "this is a pull request, and nothing says what it goes into",
            remedy="name that with --base; or add --trust to run what a stranger may have written",
        )
    return found


def declined(address: str, falsifier: Falsifier, why: str) -> Discharge:
    """Return the end of a falsifier that is not run, because of `why` (:func:`withheld`)."""
    command = f"{_REMEDY}: pv discharge {falsifier.id}"
    levels = tuple(Declined(level, why, command) for level in levels_of(falsifier)[-1:])
    return Discharge(address, falsifier.rule, "Declined", message=why, declined=levels)


def _of_github() -> str | None:
    """Return the commit or branch that a pull request goes into: empty if unknown, None if it is none."""
    if not os.environ.get("GITHUB_EVENT_NAME", "").startswith(_GITHUB):
        return None
    try:
        event = json.loads(read_regular_file(Path(os.environ["GITHUB_EVENT_PATH"])))
        return str(event["pull_request"]["base"]["sha"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        branch = os.environ.get("GITHUB_BASE_REF")
        return f"origin/{branch}" if branch else ""


def _of_gitlab() -> str | None:
    if os.environ.get("CI_PIPELINE_SOURCE") != "merge_request_event":
        return None
    return os.environ.get("CI_MERGE_REQUEST_DIFF_BASE_SHA", "")


def withheld(reference: str, chosen: Sequence[Selected], config: Config) -> dict[str, str]:
    """Return address → why, of those of `chosen` whose code the change since `reference` had a hand in.

    `reference` counts as of the last commit that it has in common with the current one.

    Raises
    ------
    SelectionError, ConfigError
        It names no commit here, or the project cannot be read there: nothing may run then.
    """
    repository = find_repository(config.root)
    base = _common(repository, reference)
    running = [item for item in chosen if item.falsifier.bound and not item.falsifier.basis]
    addresses = {id(item): f"{item.contract.stem}#{item.falsifier.id}" for item in running}
    if all_of_it := _settings(base, config):
        return dict.fromkeys(addresses.values(), all_of_it)
    touched = _paths(
        repository.unfiltered().run("diff-index", "--no-renames", "--name-only", "-z", base, "--")
    )
    before = _paths(repository.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", base))
    top = repository.top.resolve()
    found = changed_since(base, running, config)
    for item in running:
        if addresses[id(item)] not in found and (
            why := next(_misleading(item.falsifier, touched, before, top, config), "")
        ):
            found[addresses[id(item)]] = why
    return {address: f"it is not run: {why} since {reference}" for address, why in found.items()}


def _common(repository: Repository, reference: str) -> str:
    base = repository.commit(reference)
    if base is None:
        raise SelectionError(
            f"{reference!r} is no git revision here, so nothing says what is a stranger's",
            remedy="fetch it: `actions/checkout` with fetch-depth: 0; or name another with --base",
        )
    try:
        return repository.text("merge-base", base, "HEAD").partition("\n")[0]
    except SelectionError:
        return base  # what differs from it is at least what changed


def _paths(listed: bytes) -> list[PurePosixPath]:
    return [PurePosixPath(os.fsdecode(name)) for name in listed.split(b"\0") if name]


def _settings(base: str, config: Config) -> str:
    """Say what ``pv.toml`` says otherwise than at the commit `base`, for all checks at once; or nothing."""
    with materialised(config.root, base) as past:
        then = past.config
        told = (
            (
                "sources",
                [_within(s, config) for s in config.sources],
                [_within(s, then) for s in then.sources],
            ),
            ("evidence", config.relative(config.evidence), then.relative(then.evidence)),
            ("executors", config.executors, then.executors),
            ("store", config.store, then.store),
            ("ledger", (config.ledger, config.records_to_ledger), (then.ledger, then.records_to_ledger)),
        )
        changed = [name for name, now, was in told if now != was]
    return f"it is not run: {', '.join(changed)} of pv.toml changed" if changed else ""


def _within(place: Path, config: Config) -> str:
    root = config.root.resolve()
    return place.relative_to(root).as_posix() if place.is_relative_to(root) else str(place)


def _misleading(
    falsifier: Falsifier,
    touched: Iterable[PurePosixPath],
    before: Sequence[PurePosixPath],
    top: Path,
    config: Config,
) -> Iterator[str]:
    """Yield why what was touched may be run by `falsifier`, though its closure does not name it."""
    try:
        folders = _search(falsifier, config)
    except PvError as error:
        yield error.what
        return
    for path in touched:
        if _OWN in path.parts:
            yield f"{path} changed, which is pv's own to write"
        place = top / path
        for folder in folders:
            if place.is_relative_to(folder):
                if place.suffix in _IMPORTED or ".dist-info" in str(path) or ".egg-info" in str(path):
                    yield f"{path} changed, which may be imported in place of a source"
                name = _module(place.relative_to(folder).parts)
                there = (top / one for one in before)
                if name and name not in {
                    _module(one.relative_to(folder).parts) for one in there if one.is_relative_to(folder)
                }:
                    yield f"{path} is new, and may stand for the library {name}"
        if falsifier.command is not None and _may_be_read(place, config):
            yield f"{path} changed, which its command may read"


def _search(falsifier: Falsifier, config: Config) -> tuple[Path, ...]:
    if falsifier.check is not None or falsifier.stated_property is not None:
        return tuple(source.resolve() for source in config.sources)
    from pv.source_files import search_path  # late: most falsifiers have a check

    return (*search_path(falsifier, config), *(source.resolve() for source in config.sources))


def _module(parts: Sequence[str]) -> str:
    """Return the top-level module of a file, of these parts below a folder of modules; empty for others."""
    if not parts or (len(parts) == 1 and not parts[0].endswith(".py")):
        return ""
    name = parts[0].partition(".")[0]
    return name if name.isidentifier() and (len(parts) == 1 or parts[-1].endswith(".py")) else ""


def _may_be_read(place: Path, config: Config) -> bool:
    root = config.root.resolve()
    contracts = [root / folder for folder in config.contracts]
    aside = place.suffix in _UNREAD or place.is_relative_to(config.evidence.resolve())
    return place.is_relative_to(root) and not aside and not any(place.is_relative_to(c) for c in contracts)
