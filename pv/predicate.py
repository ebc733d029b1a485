"""From what was run to what is recorded: the predicate of a statement, section by section."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pv
from pv.binding import Binding
from pv.commitment import commitment
from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.evidence import SCHEMA_VERSION
from pv.expression import Measurements, measurements_to_json, series_of
from pv.freshness import closure_of, make_inputs
from pv.host import describe, versions
from pv.inputs import Inputs
from pv.jobs import Measured
from pv.masking import masked
from pv.normal_form import plain
from pv.planning import Ready
from pv.revision import revision
from pv.semantics import SEMANTICS
from pv.subjects import Artefact
from pv.verdict import Verdict
from pv.verify import metrics_to_json

__all__ = ["Judged", "build_predicate", "measurements_of", "subject_tag"]


@dataclasses.dataclass(frozen=True)
class Judged:
    """One run and what the rule says of it."""

    run: Measured
    measurements: Measurements
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """Return the measurements and the verdict as evidence holds them, and whether a run was cut short."""
        return {
            "measurements": measurements_to_json(self.measurements),
            "verdict": self.verdict.to_json(),
            **({} if self.run.whole else {"whole": False}),
        }


def measurements_of(run: Measured) -> Measurements:
    """Return the series that a run recorded."""
    return {name: series_of(samples) for name, samples in run.samples.items()}


def subject_tag(ready: Ready, config: Config) -> str:
    """Name what a run was judged on, for the record's file: subjects joined by ``+``, or ``no-subject``.

    Bytes that are not the pinned ones carry the beginning of their digest, so that they never
    overwrite the evidence of those that are.
    """
    names = []
    for artefact in dict.fromkeys(ready.artefacts[role] for role in sorted(ready.artefacts)):
        pinned = config.subjects[artefact.name].sha256
        known = artefact.sha256 == pinned or (pinned is None and artefact.build_key is not None)
        names.append(artefact.name if known else f"{artefact.name}@{artefact.sha256[:12]}")
    return "+".join(dict.fromkeys(names)) or "no-subject"


def build_predicate(
    *,
    config: Config,
    contract: Contract,
    falsifier: Falsifier,
    binding: Binding,
    ready: Ready,
    base: str,
    rule: Sequence[str],
    judged: Judged,
    seed: int,
    arguments: Sequence[str],
    started_at: str,
    extra: Mapping[str, Any],
    satisfying: Mapping[str, Artefact],
    inputs: Inputs | None = None,
    run_key: str | None = None,
    supersedes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Put together the predicate of one record.

    `extra` holds the sections of the algorithm level; `satisfying` the artefacts of a satisfying example.
    `inputs` is what decided the verdict where that is no run of a check. `run_key` tells apart the runs of a
    claim over several. `supersedes` is version and clause digest of the record of another clause whose place
    this one takes.
    """
    outside = closure_of(falsifier, config).outside if inputs is None else ()
    if inputs is None:
        inputs = _inputs(falsifier, config, {**ready.artefacts, **satisfying})
    measured = judged.to_json()
    committed = commitment(measured["measurements"])
    return {
        "schema_version": SCHEMA_VERSION,
        "engine": {"version": pv.__version__, "semantics": SEMANTICS},
        "falsifier": {
            "contract": contract.stem,
            "path": contract.path,
            "version": contract.version,
            "id": falsifier.id,
            "rule": falsifier.rule,
            "outcome": falsifier.outcome,
            **({"supersedes": dict(supersedes)} if supersedes else {}),
        },
        "place": {
            "level": ready.level,
            "base_level": base,
            "subject": subject_tag(ready, config),
            "device": ready.device_tag,
            "capability": ready.gpu.capability if ready.gpu else None,
            # A host may have several kinds; which one of a kind it was does not matter.
            **({"gpu": ready.gpu.name} if ready.gpu else {}),
            **({"run": run_key} if run_key else {}),
        },
        "check": {
            "reference": binding.reference,
            "arguments": plain(falsifier.arguments),
        },
        "inputs": inputs.to_json(),
        "subjects": {
            role: {
                "name": artefact.name,
                "sha256": artefact.sha256,
                "path": masked(config.relative(artefact.path)),
                "build_key": artefact.build_key,
                "derived_from": _provenance(artefact.derived_from, config),
            }
            for role, artefact in sorted(ready.artefacts.items())
        },
        "rule": {"lines": list(rule), "metrics": metrics_to_json(binding.metrics)},
        **measured,
        **({"commitment": committed} if committed else {}),
        **extra,
        **({"isolation": {"network": judged.run.network}} if judged.run.network else {}),
        "host": describe(),
        "versions": versions(["pydantic", "yaml", *outside, *falsifier.needs_at(base).modules]),
        "revision": _revision(config),
        "run": {
            "argv": list(arguments),
            "seed": seed,
            "started_at": started_at,
            "seconds": round(judged.run.seconds, 3),
            "peak_memory_bytes": judged.run.peak_memory_bytes,
            "output": {"bytes": judged.run.output.total, "sha256": judged.run.output.sha256},
        },
    }


def _revision(config: Config) -> dict[str, str | bool | None]:
    if not config.revision:
        config.revision.update(revision(config.root, ignoring=config.relative(config.evidence)))
    return dict(config.revision)


def _inputs(falsifier: Falsifier, config: Config, artefacts: Mapping[str, Artefact]) -> Inputs:
    builds = [artefact.build for artefact in artefacts.values() if artefact.build]
    return make_inputs(
        falsifier,
        config,
        {role: (artefact.name, artefact.identity) for role, artefact in artefacts.items()},
        {part.subject: part for build in builds for part in build.chain()},
    )


def _provenance(names: Sequence[str], config: Config) -> list[dict[str, str | None]]:
    return [
        {"name": name, "sha256": config.subjects[name].sha256} for name in names if name in config.subjects
    ]
