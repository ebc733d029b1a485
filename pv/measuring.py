"""One run of a check for one falsifier: build what it needs, run it apart, hand over what it measured."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from pv.binding import Binding
from pv.closure import Closure
from pv.config import Config
from pv.contract import Falsifier
from pv.dosing import Dosed
from pv.errors import SubjectError
from pv.freshness import base_level, closure_of
from pv.host import Gpu, gpus
from pv.jobs import Broken, Build, Measured
from pv.launch import job_of, limits_of, role_of
from pv.leases import Lease, take_lease
from pv.outcome import Outcome
from pv.planning import Declined, Ready
from pv.recorded import Enough
from pv.runner import Runner
from pv.subjects import Unbuilt

__all__ = ["Measurer", "Stop", "Tell"]

Tell = Callable[[str, int, int | None], None]
"""Hears of progress: what is being done, how much of it, of how much (None where nobody knows)."""


class Stop(Exception):  # noqa: N818  not an error: the falsifier's end was found early
    """The end of a falsifier's discharge, before it was judged."""

    def __init__(self, outcome: Outcome, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message
        self.detail = detail


class Measurer:
    """Runs the check of one falsifier; `declined` collects the levels that turn out not to be judgeable."""

    def __init__(
        self,
        falsifier: Falsifier,
        binding: Binding,
        closure: Closure,
        config: Config,
        runner: Runner,
        tell: Tell,
        declined: list[Declined],
    ) -> None:
        self.falsifier = falsifier
        self.binding = binding
        self.closure = closure
        self.config = config
        self.runner = runner
        self.tell = tell
        self.declined = declined
        self._lease: Lease | None = None

    def release(self) -> None:
        """Let others have the GPU, if one was leased."""
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def _leased(self, ready: Ready) -> Gpu | None:
        """Return the GPU to run on, which is ours from the first run on one until :meth:`release`."""
        if not ready.candidates:
            return None
        if self._lease is None or self._lease.gpu not in ready.candidates:
            self.release()
            self._lease = take_lease(ready.candidates, lambda: self.tell("waiting for a GPU", 0, None))
        return self._lease.gpu

    def build(self, unbuilt: Unbuilt) -> None:
        """Make a subject that is built here.

        Raises
        ------
        SubjectError
            Its builder failed.
        """
        spec = unbuilt.spec
        self.tell(f"building {spec.name}", 0, None)
        # Of this process alone: another discharge may be building the same.
        partial = unbuilt.target.with_name(f"partial-{os.getpid()}-{unbuilt.target.name}")
        partial.parent.mkdir(parents=True, exist_ok=True)
        done = self.runner.run(
            Build(
                reference=spec.builder or "",
                source=role_of(unbuilt.source, self.config),
                output=str(partial),
                arguments=spec.arguments,
                limits=limits_of(self.falsifier, base_level(self.falsifier)),
                seed=0,
                sources=tuple(str(source) for source in self.config.sources),
                preload=self.closure.outside,
                project=str(self.config.root),
                modules=tuple(name for name, _ in unbuilt.build.digests),
            )
        )
        if isinstance(done, Broken):
            if partial.is_dir():
                shutil.rmtree(partial)
            partial.unlink(missing_ok=True)
            raise SubjectError(
                f"subject {spec.name} could not be built: {done.why}", remedy=done.traceback[-2000:]
            )
        partial.replace(unbuilt.target)

    def measure(
        self,
        ready: Ready,
        level: str,
        *,
        seed: int,
        plant: str | None = None,
        dose: Dosed | None = None,
        arguments: Mapping[str, Any] | None = None,
        what: str = "",
        enough: Enough | None = None,
        drawn: tuple[str, ...] | None = None,
    ) -> Measured:
        """Run the check once, by the rule and limits of `level`; with `enough`, no longer than that asks for.

        With `drawn`, only what has one of those labels is measured.

        Raises
        ------
        Stop
            It did not run to its end, or what it was run on or by changed meanwhile.
        """
        plant = plant if dose is None else dose.name
        what = what or (f"counter-example {plant}" if plant else level)
        job = job_of(
            self.falsifier,
            self.binding,
            self.closure,
            self.config,
            ready,
            level,
            seed=seed,
            arguments=self.falsifier.arguments if arguments is None else arguments,
            plant=plant,
            dose=dose,
        )
        job = dataclasses.replace(job, drawn=drawn)
        gpu = self._leased(ready)
        if gpu is not None and len(gpus()) > 1:
            job = dataclasses.replace(job, device="cuda:0", visible=gpu.uuid)
        self.tell(what, 0, None)
        run = self.runner.run(job, lambda done, total: self.tell(what, done, total), enough)
        if isinstance(run, Broken) and run.kind == "declined":
            command = f"where it can run: pv discharge {self.falsifier.id} --level {ready.level}"
            self.declined.append(Declined(ready.level, run.why, command))
            raise Stop("Declined", f"{what}: {run.why}")
        if isinstance(run, Broken):
            raise Stop("Error", f"{what}: {run.why}", run.traceback or run.output.tail)
        for artefact in ready.artefacts.values():
            if artefact.changed():
                raise Stop("Error", f"subject {artefact.name} changed while it was judged")
        # Looked up afresh: what the configuration remembers is how the sources were at the start.
        afresh = dataclasses.replace(self.config, closures={})
        if closure_of(self.falsifier, afresh).sha256 != self.closure.sha256:
            raise Stop("Error", f"{what}: the source of the check changed while it ran")
        if plant is not None and not run.planted:
            of = self.binding.counter_examples[plant] if dose is None else dose.of
            what = f"the role {of!r}" if self.binding.kind == "check" else of
            raise Stop("Error", f"counter-example {plant}: {what} never passed through the check")
        return run
