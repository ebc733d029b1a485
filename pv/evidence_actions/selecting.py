"""From what is typed to record files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pv.config import Config
from pv.errors import ConfigError, EvidenceError, SelectionError
from pv.evidence import Record, records_of
from pv.evidence_files import is_record_name
from pv.selection import Selected, select

__all__ = ["addresses_named", "below", "falsifier_of", "record_named", "records_named", "split_url"]


def records_named(words: Sequence[str], config: Config) -> list[Path]:
    """Return the records that `words` name: files, folders of evidence, falsifiers, contracts; without, all.

    Raises
    ------
    SelectionError
        There is none, or a word means nothing.
    """
    found: list[Path] = []
    others: list[str] = []
    for word in words:
        path = Path(word).resolve()
        if word.endswith(".json"):
            if not path.is_file():
                raise SelectionError(f"there is no record {word}", remedy="`pv evidence show` lists them")
            if not is_record_name(path.name):
                raise SelectionError(
                    f"{word} is no record, but lies beside one", remedy="name the record that it belongs to"
                )
            found.append(path)
        elif path.is_dir() and path.is_relative_to(config.evidence):
            found += below(path)
        else:
            others.append(word)
    for item in select(others, config) if others else ():
        found += records_of(config.evidence, item.contract.stem, item.falsifier.id)
    if not words:
        found = below(config.evidence)
    if not found:
        raise SelectionError("no record was selected: nothing to look at", remedy="`pv discharge` makes them")
    return list(dict.fromkeys(found))


def record_named(word: str, config: Config) -> Path:
    """Return the one record that `word` names: a file, or a falsifier that has but one.

    Raises
    ------
    SelectionError
        There is none, or there are several.
    """
    found = records_named([word], config)
    if len(found) > 1:
        raise SelectionError(
            f"{word} has {len(found)} records: {', '.join(config.relative(path) for path in found[:4])}",
            remedy="name one of these files",
        )
    return found[0]


def falsifier_of(record: Record, config: Config) -> Selected:
    """Return the falsifier that `record` is about.

    Raises
    ------
    EvidenceError
        It does not say, or there is none in this project.
    """
    try:
        stated = record.predicate["falsifier"]
        (item,) = select([f"{stated['contract']}#{stated['id']}"], config)
    except (LookupError, TypeError, ValueError, SelectionError) as error:
        raise EvidenceError(
            f"{config.relative(record.path)} is about no falsifier of this project",
            remedy="go to the tree in which it was made",
        ) from error
    return item


def below(folder: Path) -> list[Path]:
    """Return the record files below `folder`, sorted."""
    return sorted(path for path in folder.rglob("*.json") if is_record_name(path.name))


def addresses_named(words: Sequence[str], config: Config) -> list[tuple[str, str]]:
    """Return contract and id of each falsifier that `words` name; of none, none.

    Raises
    ------
    SelectionError
        A word means nothing.
    """
    chosen = select(words, config) if words else []
    return [(item.contract.stem, item.falsifier.id) for item in chosen]


def split_url(words: Sequence[str], option: str | None) -> tuple[list[str], str | None]:
    """Return the words that are no URL, and the one URL that is among them or was given by `option`.

    Raises
    ------
    ConfigError
        There are several.
    """
    urls = [*dict.fromkeys([word for word in words if "://" in word] + ([option] if option else []))]
    if len(urls) > 1:
        raise ConfigError(f"two stores were named, {urls[0]} and {urls[1]}", remedy="name one")
    return [word for word in words if "://" not in word], urls[0] if urls else None
