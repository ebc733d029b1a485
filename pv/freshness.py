"""What decides a verdict, and what of it changed since a record was made.

Five things and nothing else: the clause in its normal form (:mod:`pv.normal_form` lists what is left out of
it, and why), the source closure of the check, of the code that its arguments name and of the loaders and
builders of its subjects, the bytes of the subjects or what they are built from and by, which loader opens
them, and the engine's semantics version. Host, date, libraries and drivers are recorded but do not make
evidence stale, unless the claim is bound to them (:mod:`pv.bound_to`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pv.builds import UNPINNED, Build, build_key, find_build
from pv.canonical import digest_of
from pv.closure import Closure, find_closure
from pv.config import Config
from pv.contract import LEVELS, Falsifier
from pv.errors import ConfigError
from pv.inputs import Inputs, Module, Used
from pv.named_code import named_modules
from pv.named_subjects import subjects_built_from
from pv.normal_form import clause_digest, normal_clause
from pv.semantics import SEMANTICS

__all__ = [
    "Inputs",
    "base_level",
    "changes",
    "clause_digest",
    "closure_of",
    "current_inputs",
    "deciding_digest",
    "make_inputs",
    "roles_at",
    "satisfying_roles",
]

_ARROW = "→"
_DECIDING = ("clause", "check", "semantics", "artefacts", "used")
"""Of the inputs, those that make evidence stale; the others say what these digests are of."""
_MOST_FILES = 5


def roles_at(falsifier: Falsifier, level: str, *, satisfying: bool = False) -> dict[str, str]:
    """Return role → subject name at `level`, for the claim or for its satisfying example."""
    roles = dict(falsifier.subjects.get(level, {}))
    if satisfying and falsifier.satisfying_example:
        roles.update(falsifier.satisfying_example.get("subjects", {}))
    return roles


def satisfying_roles(falsifier: Falsifier) -> dict[str, str]:
    """Return the roles that a satisfying example fills otherwise than the claim, as inputs name them."""
    stated = (falsifier.satisfying_example or {}).get("subjects", {})
    return {f"satisfying_example.{role}": name for role, name in stated.items()}


def base_level(falsifier: Falsifier) -> str:
    """Return the cheapest level that has subjects: where counter-examples run. Without any, live."""
    return next((level for level in LEVELS if level in falsifier.subjects), "live")


def closure_of(falsifier: Falsifier, config: Config) -> Closure:
    """Return the source closure of a check, of the code that its arguments name, and of its subjects.

    Of a subject, its loader and builder count.
    That of ``pytest:`` and ``command:`` goes by files: see :mod:`pv.source_files`. That of ``property:`` is
    of the code that it names: see :mod:`pv.binding_property`.

    Raises
    ------
    BindingError
        A module is not in the project's sources.
    ConfigError
        A subject is not in ``pv.toml``.
    """
    if falsifier.pytest is not None or falsifier.command is not None:
        # Imported late: most projects have only checks, and a hook waits for us.
        from pv.source_files import declared_closure

        return declared_closure(falsifier, config)
    if falsifier.stated_property is not None:
        from pv.binding_property import property_closure  # late, as above

        return property_closure(falsifier, config)
    references = {falsifier.check or ""}
    for spec in subjects_built_from(falsifier, config):
        if not spec.loader:
            raise ConfigError(
                f"subject {spec.name!r} has no loader, which a check needs to open it",
                remedy=f'add loader = "module:function" to [subjects.{spec.name}]',
            )
        references |= {spec.loader} | ({spec.builder} if spec.builder else set())
    modules = frozenset(reference.split(":")[0] for reference in references)
    for arguments in (falsifier.arguments, (falsifier.satisfying_example or {}).get("with", {})):
        modules |= named_modules(arguments, config.sources)
    if modules not in config.closures:
        config.closures[modules] = find_closure(modules, config.sources)
    return config.closures[modules]


def make_inputs(
    falsifier: Falsifier,
    config: Config,
    artefacts: Mapping[str, tuple[str, str]],
    builds: Mapping[str, Build],
) -> Inputs:
    """Put together the inputs of a run whose `artefacts` are role → (name of the subject, identity).

    Raises
    ------
    BindingError, ConfigError
        As :func:`closure_of`.
    """
    closure = closure_of(falsifier, config)
    paths = dict(closure.modules)
    return Inputs(
        form=normal_clause(falsifier),
        modules={
            name: Module(config.relative(paths[name]) if name in paths else name, sha256)
            for name, sha256 in closure.digests
        },
        semantics=SEMANTICS,
        artefacts={role: identity for role, (_, identity) in sorted(artefacts.items())},
        used={
            role: Used(name, config.subjects[name].loader) for role, (name, _) in sorted(artefacts.items())
        },
        builds=dict(sorted(builds.items())),
    )


def current_inputs(falsifier: Falsifier, level: str, config: Config) -> Inputs:
    """Return the inputs as the tree has them now: pins stand for the bytes of subjects."""
    roles = roles_at(falsifier, level)
    if level == base_level(falsifier):
        roles |= satisfying_roles(falsifier)
    closure_of(falsifier, config)  # refuses unknown subjects
    builds = {name: build for name in roles.values() if (build := find_build(name, config))}
    return make_inputs(
        falsifier,
        config,
        {role: (name, build_key(name, config)) for role, name in roles.items()},
        {part.subject: part for build in builds.values() for part in build.chain()},
    )


def deciding_digest(inputs: Mapping[str, Any]) -> str:
    """Return one digest of what keeps a record fresh while it is the same; `inputs` as a record has them."""
    return digest_of({key: inputs[key] for key in _DECIDING})


def changes(recorded: Mapping[str, Any], now: Inputs) -> tuple[str, ...]:
    """Say what changed since `recorded`, the verified inputs of a record; empty while it is fresh."""
    then = now.to_json()
    if all(recorded[key] == then[key] for key in _DECIDING):
        return ()
    found = [
        *_clause_changes(recorded, now),
        *_module_changes(recorded, now),
        *_subject_changes(recorded, then),
    ]
    if recorded["semantics"] != now.semantics:
        found.append(f"the engine's semantics {recorded['semantics']} {_ARROW} {now.semantics}")
    return tuple(dict.fromkeys(found)) or ("what the record was made from changed",)


def _clause_changes(recorded: Mapping[str, Any], now: Inputs) -> Iterator[str]:
    if recorded["clause"] == now.clause:
        return
    from pv.differences import clause_differences  # late: most evidence is fresh

    named = clause_differences(recorded["form"], now.form)
    yield from named or [f"the clause {_digests(recorded['clause'], now.clause)}"]


def _module_changes(recorded: Mapping[str, Any], now: Inputs) -> Iterator[str]:
    if recorded["check"] == now.check:
        return
    builders = {build["builder"] for build in recorded["builds"].values()}
    builders |= {build.builder for build in now.builds.values()}
    # The closure of a check names its parts by module, that of a test or command by path: both have paths.
    stems = {reference.split(":")[0].replace(".", "/") for reference in builders}
    built_by = tuple(f"/{stem}{ending}" for stem in stems for ending in (".py", "/__init__.py"))
    before: Mapping[str, Mapping[str, str]] = recorded["modules"]
    files: dict[str, list[str]] = {"changed": [], "added": [], "removed": []}
    for name in sorted({*before, *now.modules}):
        old, new = before.get(name), now.modules.get(name)
        if old is not None and new is not None and old["sha256"] == new.sha256:
            continue
        what = "removed" if new is None else "added" if old is None else "changed"
        path = new.path if new else old["path"] if old else name
        files[what].append(f"builder {path}" if f"/{path}".endswith(built_by) else path)
    for what, paths in files.items():
        yield from (f"{path} {what}" for path in paths[:_MOST_FILES])
        if len(paths) > _MOST_FILES:
            yield f"{len(paths) - _MOST_FILES} more files {what}"


def _subject_changes(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for role in sorted({*recorded["artefacts"], *now["artefacts"]}):
        old, new = recorded["artefacts"].get(role), now["artefacts"].get(role)
        was, used = recorded["used"].get(role), now["used"].get(role)
        if was is None or used is None:
            # Otherwise a role came or went, which the clause says.
            if old != new and old is not None and new is not None:
                yield f"evidence of {role} {_digests(old, new)}"
        elif was["subject"] == used["subject"]:
            name = used["subject"]
            if was["loader"] != used["loader"]:
                yield f"loader of subject {name} {was['loader']} {_ARROW} {used['loader']}"
            if old != new:
                yield from _identity_changes(name, old, new, recorded["builds"], now["builds"])


def _identity_changes(
    name: str, old: str, new: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[str]:
    """Say why a subject is another; of the builder's files, :func:`_module_changes` tells."""
    was, made = before.get(name), after.get(name)
    if was is None and made is None:
        if new == UNPINNED:
            yield f"subject {name} is not pinned in pv.toml (sha256 {old[:8]}… was measured)"
        else:
            yield f"subject {name}: sha256 {_digests(old, new)}"
        return
    if was is None or made is None:
        ways = [f"built by {way['builder']}" if way else "a file" for way in (was, made)]
        yield f"subject {name}: {ways[0]} {_ARROW} {ways[1]}"
        return
    if was["builder"] != made["builder"]:
        yield f"builder of subject {name} {was['builder']} {_ARROW} {made['builder']}"
    for key in sorted({*was["with"], *made["with"]}):
        values = [
            json.dumps(way["with"][key], default=str) if key in way["with"] else "none" for way in (was, made)
        ]
        if values[0] != values[1]:
            yield f"builder argument {key} {values[0]} {_ARROW} {values[1]} (subject {name})"
    if was["path"] != made["path"]:
        yield f"path of subject {name} {was['path']} {_ARROW} {made['path']}"
    if was["of"] != made["of"]:
        yield f"subject {name} is built from {was['of']} {_ARROW} {made['of']}"
    elif was["source"] != made["source"]:
        yield from _identity_changes(made["of"], was["source"], made["source"], before, after)


def _digests(old: str, new: str) -> str:
    """Show two digests: their beginnings, where these differ."""
    if old[:8] == new[:8]:
        return f"{old} {_ARROW} {new}"
    return f"{old[:8]}… {_ARROW} {new[:8]}…"
