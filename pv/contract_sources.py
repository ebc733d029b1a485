"""Two versions of contracts, from files, folders or git's history, in pairs. Nothing in them is run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pv.contract import Contract, NotAContractError, load_contract
from pv.document import MAXIMUM_BYTES, parse
from pv.errors import DocumentError, Location, SelectionError
from pv.git import find_repository
from pv.repository import find_contracts
from pv.shape import build

__all__ = ["at_revision", "pairs"]

Pair = tuple[Contract | None, Contract | None]
_FILES = frozenset({"100644", "100755", "100664"})
_ENDINGS = (".yaml", ".yml")


def pairs(old: str, new: str) -> list[Pair]:
    """Return the contracts of `old` and `new` in pairs; None where one side has no counterpart.

    Two files are a pair, whatever their names. Of two folders, contracts of the same path below them are; of
    what is left, those of the same stem, where each folder has one of it: it was moved.
    Each side is a path, or ``REV:path`` as git has it: from the top of the repository, or from here
    with ``REV:./path``.

    Raises
    ------
    SelectionError
        A side names nothing, one names a file and the other a folder, or neither holds a contract.
    ContractError, DocumentError
        One cannot be read.
    """
    sides = [_read(word) for word in (old, new)]
    (before, is_file), (after, is_other) = sides
    if is_file != is_other:
        raise SelectionError(
            "one side is a file and the other a folder", remedy="Name two files, or two folders."
        )
    if not (before or after):
        raise SelectionError(f"no contracts in {old} and {new}", remedy="Name folders with contracts.")
    if is_file:
        return [(next(iter(before.values())), next(iter(after.values())))]
    moved = _moved(before, after)
    names = sorted({*before, *after} - {*moved.values()})
    return [(before.get(name), after.get(moved.get(name, name))) for name in names]


def _moved(before: Mapping[str, Contract], after: Mapping[str, Contract]) -> dict[str, str]:
    """Return old path → new path of the contracts that one side has elsewhere."""
    old, new = (
        [name for name in one if name not in other] for one, other in ((before, after), (after, before))
    )
    stems = [Counter(contract.stem for contract in side.values()) for side in (before, after)]
    there = {after[name].stem: name for name in new}
    return {
        name: there[stem]
        for name in old
        if (stem := before[name].stem) in there and all(side[stem] == 1 for side in stems)
    }


def at_revision(revision: str, path: Path) -> Contract | None:
    """Return the contract that the file `path` held at a revision of the repository around it.

    None where it was not there.

    Raises
    ------
    SelectionError
        There is no repository or no such revision, or the file was too large.
    ContractError, DocumentError
        What it held cannot be read.
    """
    repository = find_repository(path.parent)
    commit = repository.commit(revision)
    if commit is None:
        raise SelectionError(f"{revision!r} is no git revision here", remedy="Name a commit.")
    name = os.path.relpath(os.path.realpath(path), os.path.realpath(repository.top))
    blob = dict(_listed(repository.run("ls-tree", "-z", "--full-tree", commit, "--", name))).get(name)
    if blob is None:
        return None
    if repository.sizes([blob])[0] > MAXIMUM_BYTES:
        raise SelectionError(f"{name} is larger than {MAXIMUM_BYTES:,} bytes", remedy="Name another.")
    (data,) = repository.blobs([blob])
    return _built(data, f"{revision}:{name}")


def _read(word: str) -> tuple[dict[str, Contract], bool]:
    """Return the contracts by their path below `word`, and whether that is a file."""
    revision, colon, path = word.partition(":")
    if not colon or not revision or os.path.lexists(word):
        return _from_disk(word)
    return _from_git(revision, path, word)


def _from_disk(word: str) -> tuple[dict[str, Contract], bool]:
    is_file = not ("\0" in word or Path(word).is_dir())
    found = {}
    for path in find_contracts([word]):
        name = path.name if is_file else path.relative_to(word).as_posix()
        try:
            found[name] = load_contract(path)
        except NotAContractError:
            if is_file:
                raise
    return found, is_file


def _from_git(revision: str, path: str, word: str) -> tuple[dict[str, Contract], bool]:
    repository = find_repository(Path.cwd())
    commit = repository.commit(revision)
    if commit is None:
        raise SelectionError(
            f"{revision!r} is no git revision here, and there is no file {word!r}",
            remedy="Name a file, a folder, or REV:path with a commit, a branch or a tag.",
        )
    top = os.path.realpath(repository.top)
    here = os.path.relpath(os.path.realpath("."), top) if path.startswith((".", "./")) else "."
    wanted = os.path.normpath(os.path.join(here, path or "."))  # noqa: PTH118  (a path of git's, not of ours)
    if wanted.startswith(("..", "/")):
        raise SelectionError(f"{path} leads out of the repository", remedy="Name a path within it.")
    within = [] if wanted == "." else ["--", wanted]
    listed = repository.run("ls-tree", "-r", "-z", "--full-tree", commit, *within)
    blobs = dict(_listed(listed))
    is_file = list(blobs) == [wanted]
    if not is_file:
        blobs = {name: blob for name, blob in blobs.items() if _counts(os.path.relpath(name, wanted))}
    if not blobs:
        raise SelectionError(f"{revision} has no contract at {path}", remedy="Name a file or a folder of it.")
    if max(repository.sizes([*blobs.values()])) > MAXIMUM_BYTES:
        raise SelectionError(
            f"a contract at {word} is larger than {MAXIMUM_BYTES:,} bytes", remedy="Name one by one."
        )
    found = {}
    for name, data in zip(blobs, repository.blobs([*blobs.values()]), strict=True):
        below = PurePosixPath(name).name if is_file else os.path.relpath(name, wanted)
        try:
            found[below] = _built(data, f"{revision}:{name}")
        except NotAContractError:
            if is_file:
                raise
    return found, is_file


def _listed(listed: bytes) -> Iterator[tuple[str, str]]:
    for line in listed.split(b"\0"):
        head, _, name = line.partition(b"\t")
        if head:
            mode, _, blob = head.decode("ascii").split()
            if mode in _FILES:  # neither a link nor another repository
                yield os.fsdecode(name), blob


def _counts(name: str) -> bool:
    hidden = any(part.startswith(".") for part in PurePosixPath(name).parts)
    return name.endswith(_ENDINGS) and not hidden


def _built(data: bytes, shown: str) -> Contract:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(
            f"byte 0x{data[error.start]:02x} is not UTF-8",
            where=Location(shown, 1, 1),
            remedy="Save the file as UTF-8.",
            code="YAML-010",
        ) from None
    return build(parse(text, shown))
