"""Read a policy from TOML: every key known, every value of its type, every public key there."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from pv.contract import Level
from pv.errors import Location, PvError
from pv.evidence import PREDICATE_TYPE, SCHEMA_VERSION
from pv.exits import Exit
from pv.regular_file import read_regular_file
from pv.signatures.policy import KeyEntry, Policy, Required, Rule
from pv.signatures.public_keys import public_key, require_verifying
from pv.toml_text import parse_toml

__all__ = ["PolicyError", "read_policy"]

_MOST_BYTES = 1 << 20
_REMEDY = "docs/how-to/sign-evidence.md lists every key of a policy"
_Patterns = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
_Levels = Annotated[list[Level], Field(min_length=1)]
_Capability = Annotated[str, Field(pattern=r"^(any|(>=|==)\s*\d+\.\d+)$")]


class PolicyError(PvError):
    """A policy cannot be read, or says something that cannot be meant."""

    exit = Exit.USAGE


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Key(_Table):
    file: str | None = None
    pem: str | None = None
    id: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    not_after: AwareDatetime | None = None


class _Rule(_Table):
    falsifiers: _Patterns
    keys: _Patterns
    threshold: Annotated[int, Field(ge=1)] = 1
    levels: _Levels | None = None
    hosts: _Patterns | None = None
    devices: _Patterns | None = None
    capabilities: Annotated[list[_Capability], Field(min_length=1)] | None = None
    not_after: AwareDatetime | None = None
    max_age_days: Annotated[int, Field(ge=1)] | None = None


class _Required(_Table):
    falsifiers: _Patterns
    levels: _Levels | None = None


class _Policy(_Table):
    version: Literal[1]
    schema_version: Annotated[int, Field(ge=1, le=SCHEMA_VERSION)] = SCHEMA_VERSION
    predicate_types: _Patterns = [PREDICATE_TYPE]
    not_after: AwareDatetime | None = None
    keys: Annotated[dict[str, _Key], Field(min_length=1)]
    rules: Annotated[list[_Rule], Field(min_length=1)]
    required: list[_Required] = []


def read_policy(path: Path, shown: str = "") -> Policy:
    """Read the policy at `path`; files of keys are beside it, unless their paths say otherwise.

    Messages call it `shown`, by default by its path.

    Raises
    ------
    PolicyError
        It cannot be read, is not TOML, has a key twice or one that is unknown, or a public key that cannot
        be read, is another than its id says, or has two names.
    ConfigError
        What verifies signatures is not installed.
    """
    require_verifying()
    shown = shown or str(path)
    try:
        data = read_regular_file(path)
        if len(data) > _MOST_BYTES:
            raise PolicyError(
                f"a policy of more than {_MOST_BYTES} bytes is not read",
                where=Location(shown, 1, 1),
                remedy=_REMEDY,
            )
        text = data.decode("utf-8")
    except OSError as error:
        raise PolicyError(f"cannot read the policy {shown}: {error.strerror}", remedy=_REMEDY) from error
    except UnicodeDecodeError as error:
        raise PolicyError("it is not UTF-8", where=Location(shown, 1, 1), remedy=_REMEDY) from error
    return _Reader(path, text, shown).read()


class _Reader:
    def __init__(self, path: Path, text: str, shown: str) -> None:
        self._path = path
        self._shown = shown
        self._text = text

    def read(self) -> Policy:
        try:
            stated = _Policy.model_validate(parse_toml(self._text.encode("utf-8")))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise self._error(first["msg"], first["loc"]) from error
        except ValueError as error:
            at = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
            where = Location(self._shown, *map(int, at.groups())) if at else self._where(())
            what = str(error).partition(" (at ")[0]
            twice = "Cannot overwrite" in what or "Cannot declare" in what
            told = f"a key stands twice: {what}" if twice else f"it is not TOML: {what}"
            raise PolicyError(told, where=where, remedy=_REMEDY) from error
        keys = {name: self._key(name, one) for name, one in stated.keys.items()}
        by_id: dict[str, KeyEntry] = {}
        for name, entry in keys.items():
            other = by_id.setdefault(entry.key.keyid, entry)
            if other is not entry:
                raise self._error(f"it is the same key as {other.name}", ("keys", name))
        return Policy(
            keys=by_id,
            rules=tuple(self._rule(index, rule, keys) for index, rule in enumerate(stated.rules)),
            required=tuple(
                Required(tuple(one.falsifiers), tuple(one.levels or ())) for one in stated.required
            ),
            schema_version=stated.schema_version,
            predicate_types=tuple(stated.predicate_types),
            not_after=stated.not_after,
        )

    def _key(self, name: str, stated: _Key) -> KeyEntry:
        way: tuple[str, ...] = ("keys", name)
        if (stated.file is None) == (stated.pem is None):
            raise self._error("it has either file or pem", way)
        if stated.file is not None:
            way = ("keys", name, "file")
            try:
                pem = read_regular_file(self._path.parent / stated.file)
            except (OSError, ValueError) as error:
                raise self._error(f"cannot read {stated.file}", way) from error
        else:
            way = ("keys", name, "pem")
            pem = (stated.pem or "").encode()
        try:
            key = public_key(pem)
        except ValueError as error:
            raise self._error(str(error), way) from error
        if stated.id != key.keyid:
            raise self._error(f"the key has the id {key.keyid}, not this one", ("keys", name, "id"))
        return KeyEntry(name, key, stated.not_after)

    def _rule(self, index: int, stated: _Rule, keys: dict[str, KeyEntry]) -> Rule:
        for place, name in enumerate(stated.keys):
            if name not in keys:
                raise self._error(f"there is no [keys.{name}]", ("rules", index, "keys", place))
        if len(set(stated.keys)) < stated.threshold:
            raise self._error(
                f"{stated.threshold} of {len(set(stated.keys))} key(s) can never sign",
                ("rules", index, "threshold"),
            )
        return Rule(
            number=index + 1,
            falsifiers=tuple(stated.falsifiers),
            keys=frozenset(stated.keys),
            threshold=stated.threshold,
            levels=tuple(stated.levels or ()),
            hosts=tuple(stated.hosts or ()),
            devices=tuple(stated.devices or ()),
            capabilities=tuple(stated.capabilities or ()),
            not_after=stated.not_after,
            max_age=None if stated.max_age_days is None else dt.timedelta(days=stated.max_age_days),
        )

    def _error(self, why: str, way: Sequence[str | int]) -> PolicyError:
        shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in way).lstrip(".")
        return PolicyError(f"{shown}: {why}", where=self._where(way), remedy=_REMEDY)

    def _where(self, way: Sequence[str | int]) -> Location:
        """Find the line of what `way` leads to, or of the last part of it that is there.

        A TOML document ends where you like between two statements: the shortest beginning of the file that is
        TOML and has the place ends with its statement, which began after the longest one that has it not.
        """
        lines = self._text.splitlines(keepends=True)
        while way:
            before = 0
            for count in range(1, len(lines) + 1):
                try:
                    found = tomllib.loads("".join(lines[:count]))
                except tomllib.TOMLDecodeError:
                    continue
                if _has(found, way):
                    return Location(self._shown, before + 1, 1)
                before = count
            way = way[:-1]
        return Location(self._shown, 1, 1)


def _has(value: Any, way: Sequence[str | int]) -> bool:
    for part in way:
        try:
            value = value[part]
        except (LookupError, TypeError):
            return False
    return True
