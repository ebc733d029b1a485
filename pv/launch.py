"""From a falsifier that is ready to be judged to the job that a worker gets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib.metadata import distributions
from typing import Any

from pv.binding import Binding
from pv.closure import Closure
from pv.config import Config
from pv.contract import Falsifier, Replacement
from pv.dosing import Dosed
from pv.jobs import Job, Limits, Role
from pv.planning import DEFAULT_MEMORY_BYTES, DEFAULT_TIMEOUT_SECONDS, Ready
from pv.subjects import Artefact

__all__ = ["job_of", "limits_of", "role_of"]

_NOTHING = Replacement({}, {}, {}, None)


def limits_of(falsifier: Falsifier, level: str) -> Limits:
    """Return what one run of `falsifier` at `level` may use."""
    needs = falsifier.needs_at(level)
    return Limits(
        needs.memory_bytes or DEFAULT_MEMORY_BYTES,
        needs.timeout_seconds or DEFAULT_TIMEOUT_SECONDS,
        network=needs.network,
    )


def role_of(artefact: Artefact, config: Config) -> Role:
    """Return `artefact` as what a job is given, with the files of it that may be read."""
    files = tuple(stamp[0] for stamp in artefact.stamp)
    narrowed = bool(config.subjects[artefact.name].files)
    return Role(artefact.loader, str(artefact.path), files, artefact.name, narrowed)


def job_of(
    falsifier: Falsifier,
    binding: Binding,
    closure: Closure,
    config: Config,
    ready: Ready,
    level: str,
    *,
    seed: int,
    arguments: Mapping[str, Any],
    plant: str | None,
    dose: Dosed | None = None,
) -> Job:
    """Return one run of `falsifier` at `level`; with `plant`, that counter-example is planted in it.

    With `dose`, what is planted is that.
    """
    replacement = falsifier.replacements.get(plant, _NOTHING) if plant is not None else _NOTHING
    roles = {role: role_of(artefact, config) for role, artefact in ready.artefacts.items()}
    roles |= {role: Role("", str(config.root / path)) for role, path in replacement.subjects.items()}
    common = Job(
        reference=binding.reference,
        metrics=tuple(binding.metrics.values()),
        arguments=arguments,
        roles=roles,
        limits=limits_of(falsifier, level),
        seed=seed,
        device=ready.device,
        level=level,
        plant=plant if dose is None else dose.name,
        dose=None if dose is None else (dose.kind, dose.amount, dose.place),
        project=str(config.root),
        sources=tuple(str(source) for source in config.sources),
        modules=tuple(name for name, _ in closure.modules),
        preload=closure.outside,
    )
    if binding.kind == "check":
        return common
    if binding.kind == "property":
        return dataclasses.replace(common, kind="property", stated_property=falsifier.stated_property)
    # Imported late: the engine may have nothing but checks to run.
    from pv.pytest_settings import find_settings
    from pv.source_files import search_path

    declared = dataclasses.replace(
        common,
        kind=binding.kind,
        modules=tuple(str(path) for _, path in closure.modules),
        environment={**falsifier.environment, **replacement.environment},
        search=tuple(str(folder) for folder in search_path(falsifier, config)),
        replaced_modules={
            str(config.root / module): str(config.root / mutant)
            for module, mutant in replacement.modules.items()
        },
        readings=binding.readings,
    )
    if falsifier.command is not None:
        words = (
            falsifier.command
            if replacement.arguments is None
            else (falsifier.command[0], *replacement.arguments)
        )
        return dataclasses.replace(declared, words=words, preload=())
    node = falsifier.pytest or ""
    settings = find_settings((config.root / node.split("::")[0]).resolve(), config.root).file
    options = replacement.arguments or ()
    if not any(name.split(".")[0] == "hypothesis" for name in closure.outside):
        # It would import all of itself to say at the end that it was not used.
        options += ("-p", "no:hypothesispytest")
    return dataclasses.replace(
        declared,
        reference=node,
        words=options,
        settings=str(settings) if settings else "",
        preload=("pytest", *_preloaded(closure.outside)),
    )


def _preloaded(outside: tuple[str, ...]) -> tuple[str, ...]:
    """Return which of the modules `outside` can be imported before pytest is configured.

    Of a plugin's distribution pytest rewrites the assertions, and warns of modules that it finds imported.
    """
    plugins: set[str] = set()
    for distribution in distributions():
        if any(entry.group == "pytest11" for entry in distribution.entry_points):
            plugins |= {file.parts[0].removesuffix(".py") for file in distribution.files or ()}
    return tuple(name for name in outside if name.split(".")[0] not in plugins)
