"""One pytest node, in the child: run it, and record what its tests say.

A test says ``passed`` 1 when it ends well, and 0 when an assertion of its own body fails (or
``pytest.fail`` is called there). Whatever else goes wrong, in the body or in a fixture, is an error and no
measurement. A test that is skipped, deselected or expected to fail was not judged.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import tempfile
import traceback
from collections.abc import Generator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pv.channel import Channel
from pv.check import CheckError, Metric, Value
from pv.mutants import Mutants
from pv.placeholders import fill
from pv.reads import Reads
from pv.sample_value import plain
from pv.worker import Recorder, Unavailable, hidden_modules, refuse_hidden_files, report
from pv.worker_command import holes_of

__all__ = ["run_pytest"]

_OLDEST = (8,)
_INSTALL = "python -m pip install 'pytest>=8'"
_ASYNC = "async def functions are not natively supported"
_OK, _TESTS_FAILED, _NO_TESTS = 0, 1, 5
"""How pytest ends: https://docs.pytest.org/en/stable/reference/exit-codes.html."""


def run_pytest(job: Mapping[str, Any], descriptor: int) -> None:
    """Run the pytest node of `job` and report on `descriptor`; never raises."""
    report(job, descriptor, _pytest)


def _pytest(job: Mapping[str, Any], channel: Channel) -> bool:
    if importlib.util.find_spec("pytest") is None:
        raise Unavailable(f"pytest is not installed beside pv; type: {_INSTALL}")
    values = holes_of(job)
    _enter(job, values)
    reads = Reads(job["project"])
    mutants = Mutants(job["replaced_modules"])
    mutants.first()
    pytest: Any = importlib.import_module("pytest")  # not one of pv's dependencies
    if pytest.version_tuple < _OLDEST:
        raise Unavailable(f"pytest {pytest.__version__} is older than 8; type: {_INSTALL}")
    pytest.hookimpl(tryfirst=True, wrapper=True)(Listener.pytest_load_initial_conftests)
    pytest.hookimpl(tryfirst=True, wrapper=True)(Listener.pytest_runtest_makereport)
    listener = Listener(
        mutants,
        (AssertionError, pytest.fail.Exception),
        reads,
        job["settings"],
        job["reference"].split("::")[0],
    )
    ended = int(pytest.main(_options(job, values), plugins=[listener]))
    listener.judge_session(ended)
    metrics = {
        name: Metric(name, unit, low, high, slack, kind)
        for name, unit, low, high, slack, kind in job["metrics"]
    }
    recorder = Recorder(job, channel, metrics)
    for node, passed in listener.passed.items():
        recorder.record("passed", passed, label=node)
        for name, value in listener.properties.get(node, ()):
            if name in metrics:
                _refuse_reserved(name, node)
                recorder.record(name, _sample(value, metrics[name], node), label=node)
    _refuse_hidden_modules(job)
    # What was looked for and is not there, as tracebacks look for the sources of generated code, is no input.
    there = {path for path in reads.files() if os.path.lexists(path)}
    refuse_hidden_files(job, there, {os.path.realpath(file) for file in job["modules"]})
    if mutants.unserved:
        shown = os.path.relpath(mutants.unserved[0], job["project"])
        raise CheckError(f"counter-example {job['plant']}: the test never imported {shown}")
    return job["plant"] is not None


def _enter(job: Mapping[str, Any], values: Mapping[str, str]) -> None:
    """Make the process what the test is to find: folder, path, environment."""
    os.chdir(job["project"])
    sys.path[:0] = job["search"]
    os.environ.pop("PYTHONPATH", None)  # our own way to the engine, and none of the project's
    # Hypothesis keeps the examples that failed, and would begin with those of an earlier run.
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(Path(job["scratch"], "hypothesis"))
    os.environ["TMPDIR"] = job["scratch"]
    tempfile.tempdir = None
    os.environ.update({name: fill(text, values) for name, text in job["environment"].items()})


def _options(job: Mapping[str, Any], values: Mapping[str, str]) -> list[str]:
    settings = job["settings"]
    if not settings:
        settings = str(Path(job["scratch"], "pytest.ini"))
        Path(settings).write_text("[pytest]\n", encoding="ascii")
    options = [f"--rootdir={job['project']}", f"--confcutdir={job['project']}", "-c", settings]
    options += ["-o", "addopts=", "-p", "no:cacheprovider"]
    # This process was forked with the libraries of other jobs; one may be a plugin, and warnings be errors.
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    # What a test is judged by is judged here: pv's own plugin has no part in it.
    options += ["-p", "no:pv"]
    # It reorders tests and seeds them by the clock.
    options += ["-p", "no:randomly", f"--basetemp={Path(job['scratch'], 'tests')}"]
    plugins = {entry.name for entry in entry_points(group="pytest11")}
    if "hypothesispytest" in plugins and "no:hypothesispytest" not in job["words"]:
        options.append(f"--hypothesis-seed={job['seed']}")
    return [*options, *(fill(word, values) for word in job["words"]), "--", job["reference"]]


def _refuse_reserved(name: str, node: str) -> None:
    if name == "passed":
        raise CheckError(f"{node} records a property `passed`, which is pv's own; rename it")


def _sample(value: Any, metric: Metric, node: str) -> Value:
    sample = plain(value)
    wanted = {"text": str, "count": int, "real": float}[metric.kind]
    if isinstance(sample, bool) and metric.kind == "count":
        return int(sample)
    if isinstance(sample, bool) or not isinstance(sample, wanted | (int if wanted is float else wanted)):
        raise CheckError(
            f"metric {metric.name!r} is declared {metric.kind}, recorded {type(value).__name__} by {node}"
        )
    return sample


def _refuse_hidden_modules(job: Mapping[str, Any]) -> None:
    """Refuse a run that imported project code which the digest of its sources does not cover."""
    known = {os.path.realpath(file) for file in job["modules"]}
    for name, path in hidden_modules(job, known):
        raise CheckError(
            f"the test imported {os.path.relpath(path, job['project'])} ({name}), which evidence would not"
            " name; add its folder to [project] sources in pv.toml, or the file to `sources:` of the clause"
        )


class Listener:
    """A plugin that hears how each test ends.

    `asserting` are the exceptions by which a test says that something does not hold. Of the file `settings`,
    what counts to pytest is digested by itself: that pytest reads it is no input of the test. Only tests in
    the file `bound` are what the falsifier is bound to.
    """

    def __init__(
        self,
        mutants: Mutants,
        asserting: tuple[type[BaseException], ...],
        reads: Reads,
        settings: str,
        bound: str,
    ) -> None:
        self._reads = reads
        self._settings = settings
        self._bound = bound
        self._mutants = mutants
        self._asserting = asserting
        self.passed: dict[str, int] = {}
        self.properties: dict[str, list[tuple[str, Any]]] = {}
        self.unjudged: dict[str, str] = {}
        self.broken: dict[str, str] = {}
        self.collected: list[str] = []
        self.deselected: list[str] = []
        self.found: list[str] = []

    def pytest_load_initial_conftests(self) -> Generator[None, Any, Any]:
        """Stand before the finders of pytest itself, and of the plugins that it loaded by now."""
        self._mutants.first()
        self._reads.forget(self._settings)
        return (yield)

    def pytest_collectreport(self, report: Any) -> None:
        """Hear of files and classes that are skipped or cannot be imported."""
        if report.skipped:
            self.unjudged[report.nodeid] = f"skipped: {_reason(report)}"
        elif report.failed:
            self.broken[report.nodeid] = f"it cannot be collected: {_last_line(report)}"

    def pytest_deselected(self, items: Any) -> None:
        """Hear of tests that a hook of the project took out."""
        self.deselected += [item.nodeid for item in items]

    def pytest_itemcollected(self, item: Any) -> None:
        """Hear of every test, also of one that a hook takes out without saying so."""
        self.found.append(item.nodeid)
        if os.path.realpath(item.path) != os.path.realpath(self._bound):
            self.broken[item.nodeid] = f"it is no test of {self._bound}, and was collected by what was added"

    def pytest_collection_finish(self, session: Any) -> None:
        """Hear which tests are to run."""
        self.collected = [item.nodeid for item in session.items]
        kept = {*self.collected, *self.deselected}
        self.deselected += [node for node in self.found if node not in kept]
        self._mutants.first()

    def pytest_runtest_makereport(self, item: Any, call: Any) -> Generator[None, Any, Any]:
        """Hear how the set-up, the body or the tear-down of a test ended."""
        made = yield
        node = item.nodeid
        if call.when == "teardown":
            self.properties[node] = list(item.user_properties)
        strict = made.failed and str(made.longrepr).startswith("[XPASS(strict)]")
        if strict or hasattr(made, "wasxfail"):
            reason = getattr(made, "wasxfail", "") or "without a reason"
            self.unjudged.setdefault(node, f"marked xfail: {reason}")
        elif made.skipped:
            self.unjudged.setdefault(node, f"skipped: {_reason(made)}")
        elif made.failed:
            self._failed(node, call, made)
        elif call.excinfo is not None:
            self.broken.setdefault(
                node, f"it raised {call.excinfo.typename}, and a hook of the project says passed"
            )
        elif call.when == "call":
            self.passed.setdefault(node, 1)
        return made

    def _failed(self, node: str, call: Any, made: Any) -> None:
        error = call.excinfo.value if call.excinfo is not None else None
        # pytest itself calls `fail` for a coroutine that no plug-in runs.
        asserted = isinstance(error, self._asserting) and _ASYNC not in str(error)
        asserted = asserted and not self._of_mutant(error)
        if call.when == "call" and (asserted or (error is None and self.passed.get(node) == 0)):
            self.passed[node] = 0
        else:
            what = type(error).__name__ if error is not None else "failed"
            where = {"setup": "its set-up", "teardown": "its tear-down"}.get(call.when, "it")
            self.broken.setdefault(node, f"{where} raised {what}: {_last_line(made)}")

    def _of_mutant(self, error: BaseException | None) -> bool:
        """Tell whether not a test asserted, but the mutant itself, or a module while it was imported."""
        raised = [
            frame.f_code.co_filename
            for frame, _ in traceback.walk_tb(error.__traceback__ if error else None)
            if frame.f_globals.get("__name__") != "_pytest.outcomes"
        ]
        importing = any(name.startswith("<frozen importlib") for name in raised)
        return importing or bool(raised and os.path.realpath(raised[-1]) in self._mutants.files)

    def judge_session(self, ended: int) -> None:
        """Raise where anything but passed and failed tests came of it."""
        if self.broken:
            node, why = next(iter(self.broken.items()))
            raise CheckError(f"{node}: {why}")
        if self.unjudged:
            node, why = next(iter(self.unjudged.items()))
            raise Unavailable(f"{node}: {why}")
        if self.deselected:
            raise Unavailable(f"{self.deselected[0]}: deselected by the project's own hooks")
        if ended == _NO_TESTS:
            raise Unavailable("no test was collected")
        if ended not in {_OK, _TESTS_FAILED}:
            raise CheckError(f"pytest ended with exit code {ended}; see what it printed")
        missing = [node for node in self.collected if node not in self.passed]
        if missing or not self.collected:
            raise CheckError(f"{(missing or ['the test'])[0]}: it was collected, and did not run to its end")


def _reason(report: Any) -> str:
    found = report.longrepr
    text = str(found[2]) if isinstance(found, tuple) and len(found) == 3 else str(found or "no reason given")
    return text.removeprefix("Skipped: ")[:500]


def _last_line(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = getattr(report.longrepr, "errorstring", None) if crash is None else crash.message
    if text and str(text).strip():
        return str(text).strip().splitlines()[0][:500]
    lines = [line for line in str(report.longrepr or "").splitlines() if line.strip()]
    return lines[-1].removeprefix("E").strip()[:500] if lines else "no reason given"
