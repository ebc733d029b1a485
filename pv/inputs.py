"""What decides a verdict: by digest, and beside each digest what it is the digest of.

Evidence holds both, so that a reader can be told what changed, from what to what, without the past tree.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from pv.builds import Build, key_of
from pv.canonical import digest_of
from pv.closure import closure_digest

__all__ = ["Inputs", "Module", "Used", "contradiction"]


@dataclasses.dataclass(frozen=True)
class Module:
    """A part of the source closure: where it stands, relative to the project, and its digest."""

    path: str
    sha256: str

    def to_json(self) -> dict[str, str]:
        """Return the plain form; `dataclasses.asdict` takes ten times as long, and there are dozens."""
        return {"path": self.path, "sha256": self.sha256}


@dataclasses.dataclass(frozen=True)
class Used:
    """What fills a role: the name of a subject, and the loader that opens it."""

    subject: str
    loader: str


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What decides a verdict.

    `form` is the clause in normal form, `artefacts` is role → sha256, or the key of the build where it is
    built; `modules` is by name, and `builds` has every built subject.
    """

    form: Mapping[str, Any]
    modules: Mapping[str, Module]
    semantics: int
    artefacts: Mapping[str, str]
    used: Mapping[str, Used] = dataclasses.field(default_factory=dict)
    builds: Mapping[str, Build] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def clause(self) -> str:
        """The digest of the clause."""
        return digest_of(self.form)

    @functools.cached_property
    def check(self) -> str:
        """The digest of the source closure."""
        return closure_digest((name, module.sha256) for name, module in self.modules.items())

    def to_json(self) -> dict[str, Any]:
        """Return the plain form that evidence holds: digests first, then what they stand for."""
        return {
            "clause": self.clause,
            "check": self.check,
            "semantics": self.semantics,
            "artefacts": dict(self.artefacts),
            "form": dict(self.form),
            "modules": {name: module.to_json() for name, module in self.modules.items()},
            "used": {role: dataclasses.asdict(used) for role, used in self.used.items()},
            "builds": {name: build.to_json() for name, build in self.builds.items()},
        }


def contradiction(stated: Mapping[str, Any]) -> str:
    """Say which digest of recorded inputs is not that of what stands beside it; empty if none.

    Raises
    ------
    LookupError, TypeError, AttributeError, ValueError
        They have not the shape of inputs.
    """
    if digest_of(stated["form"]) != stated["clause"]:
        return "holds a clause that has not the digest beside it"
    digests = {name: module["sha256"] for name, module in stated["modules"].items()}
    if closure_digest(digests.items()) != stated["check"]:
        return "holds modules that have not the digest of the check"
    keys = {name: key_of(build) for name, build in stated["builds"].items()}
    for name, build in stated["builds"].items():
        if any(digests.get(module, sha256) != sha256 for module, sha256 in build["modules"].items()):
            return f"holds two digests of a module of the builder of {name}"
        if build["of"] in keys and build["source"] != keys[build["of"]]:
            return f"says that {name} is built from {build['of']}, but not from that build of it"
    for role, used in stated["used"].items():
        if stated["artefacts"][role] != keys.get(used["subject"], stated["artefacts"][role]):
            return f"holds a build of {used['subject']} that has not the key of role {role}"
    return ""
