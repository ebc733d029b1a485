"""Contracts as pytest collects them, and falsifiers as it runs them.

A falsifier is judged in the set-up of its item, and fails, where it does, in the call: what ended with Error
was not judged, and pytest calls that an error and no failure (JUnit ``<error>``).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from pv.blocking import blast_radius
from pv.config import Config, load_config
from pv.contract import Contract, Falsifier, NotAContractError
from pv.discharge import discharge
from pv.errors import PvError
from pv.exits import Exit
from pv.outcome import EXITS, Discharge, Options
from pv.printable import printable
from pv.pytest_markers import register, tags_of
from pv.reports.discharge import told
from pv.runner import Runner
from pv.selection import load_paths
from pv.subjects import Subjects
from pv.waivers import load_waivers

__all__ = ["ContractFile", "FalsifierItem", "contract_file"]

_KEY = b"falsification_tests"


class NotAcceptedError(Exception):
    """The falsifier was judged and does not hold, or could not be judged; the message is what pv prints."""


class ContractFile(pytest.File):
    """A contract; its children are its falsifiers."""

    session_of: ProjectSession
    alone: bool = False
    """Whether the file was named itself."""

    def collect(self) -> Iterator[FalsifierItem]:
        """Yield an item for every falsifier.

        Raises
        ------
        CollectError
            The contract, or the project's ``pv.toml``, cannot be read; with file, line and column.
        """
        try:
            # As it would be typed: messages then show it so.
            (contract,) = load_paths([os.path.relpath(self.path)], self.session_of.config)
            self.session_of.refuse_twin(contract)
        except NotAContractError as error:
            if self.alone:
                raise self.CollectError(_lines(str(error))) from None
            return
        except PvError as error:
            raise self.CollectError(_lines(str(error))) from None
        for falsifier in contract.falsifiers:
            yield FalsifierItem.from_parent(self, name=falsifier.id, contract=contract, falsifier=falsifier)


class FalsifierItem(pytest.Item):
    """One falsifier."""

    def __init__(self, *, contract: Contract, falsifier: Falsifier, **given: Any) -> None:
        super().__init__(**given)
        self.contract = contract
        self.falsifier = falsifier
        self._end: Discharge | None = None
        self._told = ""
        self._waived = ""
        for name in register(contract, falsifier, self.config):
            self.add_marker(name)
        self.extra_keyword_matches.update(falsifier.aliases, tags_of(contract, falsifier))

    @property
    def of_project(self) -> ProjectSession:
        """What judges the falsifiers of its project in this process."""
        parent = self.parent
        assert isinstance(parent, ContractFile)  # noqa: S101  by construction
        return parent.session_of

    def setup(self) -> None:
        """Judge it, or find what fresh evidence says.

        Raises
        ------
        NotAcceptedError
            It ended with Error.
        """
        if self.falsifier.excluded:
            self._carry(pv_outcome="Excluded")
            pytest.skip(printable(f"excluded: {self.falsifier.excluded}"))
        self._carry(pv_outcome="Error")
        end = self._end = self.of_project.judge(self.contract, self.falsifier)
        failed = EXITS[end.outcome] == Exit.REJECTED
        self._waived, expired = self.of_project.waived(self.contract, self.falsifier) if failed else ("", "")
        waiting = blast_radius(self.contract, self.falsifier, self.of_project.config) if failed else ()
        self._told = "\n".join([*told(end, waiting, self._waived), *filter(None, [expired])])
        self.user_properties.clear()
        self._carry(
            pv_outcome=end.outcome,
            pv_level=end.level,
            pv_subject=end.subject,
            pv_device=end.device,
            pv_records=" ".join(end.records),
            pv_fresh="yes" if end.fresh else None,
            pv_waived=self._waived,
        )
        if EXITS[end.outcome] == Exit.DECLINED:
            pytest.skip(_reason(end))
        if EXITS[end.outcome] == Exit.ERROR:
            raise NotAcceptedError(self._told)

    def runtest(self) -> None:
        """Say how it was judged.

        Raises
        ------
        NotAcceptedError
            It is falsified or vacuous, and no waiver is in force.
        """
        end = self._end
        if end is not None and EXITS[end.outcome] == Exit.ACCEPTED:
            self.add_report_section("call", "pv", self._told)
            return
        if end is not None and self._waived:
            pytest.xfail(printable(f"{self._waived}; {_head(end)}"))
        raise NotAcceptedError(self._told)

    def shown(self, error: BaseException) -> _Shown | None:
        """Return what ``pv discharge`` prints: where in the engine it was raised helps nobody."""
        if isinstance(error, NotAcceptedError | pytest.xfail.Exception) and self._end is not None:
            return _Shown(self._told, _Crash(_head(self._end)))
        if isinstance(error, PvError):
            text = _lines(str(error))
            return _Shown(text, _Crash(text.partition("\n")[0]))
        return None

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Return the file, the line of the falsifier counted from 0, and its name."""
        return self.path, self.falsifier.where.line - 1, self.name

    def _carry(self, **properties: str | None) -> None:
        self.user_properties += [(name, printable(text)) for name, text in properties.items() if text]


@dataclasses.dataclass(frozen=True)
class _Crash:
    """The one line that pytest's summary, and the message of a JUnit failure, show."""

    message: str


@dataclasses.dataclass(frozen=True)
class _Shown:
    """A failure as pytest shows it: pv's own text."""

    text: str
    reprcrash: _Crash

    def __str__(self) -> str:
        return self.text

    def toterminal(self, writer: Any) -> None:
        """Write it to pytest's terminal."""
        for line in self.text.splitlines():
            writer.line(line)


class ProjectSession:
    """What judges the falsifiers of one project in this process: one zygote, started when it is needed."""

    def __init__(self, root: Path, pytest_config: pytest.Config) -> None:
        self.config: Config = load_config(root)
        self._subjects = Subjects(self.config)
        self._runner = Runner(self.config.root / ".pv")
        self._waivers = None if self.config.waivers else load_waivers(self.config)
        self._stems: dict[str, str] = {}
        self._options = Options(
            level=pytest_config.getoption("--pv-level"),
            device=pytest_config.getoption("--pv-device"),
            force=pytest_config.getoption("--pv-force"),
            record=not pytest_config.getoption("--pv-no-record"),
        )
        pytest_config.add_cleanup(self._runner.close)

    def judge(self, contract: Contract, falsifier: Falsifier) -> Discharge:
        """Discharge `falsifier`.

        Raises
        ------
        WaiverError
            The project's waivers are wrong: whether a failure counts is unknown.
        """
        if self._waivers is None:
            self._waivers = load_waivers(self.config)
        options = dataclasses.replace(self._options, argv=("pytest", f"{contract.path}::{falsifier.id}"))
        return discharge(contract, falsifier, self.config, self._subjects, self._runner, options)

    def waived(self, contract: Contract, falsifier: Falsifier) -> tuple[str, str]:
        """Return the note of the waiver in force, and what there is to say of one that has run out."""
        waivers = self._waivers
        waiver = waivers.of(contract, falsifier) if waivers else None
        expired = waivers.expired(contract, falsifier) if waivers else None
        return (
            waiver.note if waiver else "",
            f"  waiver      expired on {expired.expires}, so this fails" if expired else "",
        )

    def refuse_twin(self, contract: Contract) -> None:
        """Refuse a second contract of one name: their evidence would be one.

        Raises
        ------
        SelectionError
            Another file of that name was collected.
        """
        from pv.errors import SelectionError

        twin = self._stems.setdefault(contract.stem, contract.path)
        if twin != contract.path:
            raise SelectionError(
                f"{twin} and {contract.path} are both named {contract.stem}: their evidence would be one",
                remedy="rename one of the files",
            )


class _Hooks:
    """What pytest asks of plugins, once a contract was collected."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put gates last: they read what the others of this session record."""
        items.sort(key=lambda item: isinstance(item, FalsifierItem) and bool(item.falsifier.basis))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, Any]:
        """Show pv's words; and of a skip where the falsifier stands, not where pytest was told to skip it."""
        report = yield
        if not isinstance(item, FalsifierItem) or call.excinfo is None:
            return report
        if report.skipped and isinstance(report.longrepr, tuple):
            path, line, _ = item.reportinfo()
            report.longrepr = (os.fspath(path), (line or 0) + 1, report.longrepr[2])
        elif (shown := item.shown(call.excinfo.value)) is not None:
            report.longrepr = shown
        return report


_PROJECTS = pytest.StashKey[dict[Path, ProjectSession | PvError]]()


def contract_file(
    path: Path, parent: pytest.Collector, root: Path, *, alone: bool
) -> pytest.Collector | None:
    """Return the collector of `path`, YAML of the project at `root`; None where it is no contract of it.

    `alone` says that the file was named itself; then it need not lie where the project keeps contracts.
    """
    projects = parent.config.stash.setdefault(_PROJECTS, {})
    if not projects:
        parent.config.pluginmanager.register(_Hooks(), "pv-hooks")
    if root not in projects:
        try:
            projects[root] = ProjectSession(root, parent.config)
        except PvError as error:
            projects[root] = error
    project = projects[root]
    if isinstance(project, PvError):
        return _Broken.from_parent(parent, path=path, error=project)
    if not _kept(path, project.config) and not (alone and _KEY in path.read_bytes()):
        return None
    made = ContractFile.from_parent(parent, path=path)
    made.session_of, made.alone = project, alone
    return made


class _Broken(pytest.File):
    """A contract of a project that cannot be read."""

    def __init__(self, *, error: PvError, **given: Any) -> None:
        super().__init__(**given)
        self._error = error

    def collect(self) -> Iterator[pytest.Item]:
        raise self.CollectError(_lines(str(self._error)))


def _kept(path: Path, config: Config) -> bool:
    """Tell whether `path` lies where the project keeps contracts, and is not hidden there."""
    for name in config.contracts:
        folder = Path(os.path.normpath(config.root / name))
        if path == folder:
            return True
        if path.is_relative_to(folder):
            return not any(part.startswith(".") for part in path.relative_to(folder).parts)
    return False


def _lines(text: str) -> str:
    return "\n".join(map(printable, text.splitlines()))


def _head(end: Discharge) -> str:
    """Return how it ended in one line: the first line of the rule that fails, or why it was not judged."""
    lines = (end.verdict or {}).get("lines", [])
    failing = next((line["text"] for line in lines if not line["truth"]), "") if end.outcome == "Fail" else ""
    why = failing or end.message.partition("\n")[0]
    return printable(f"{end.outcome.upper()} {end.address}: {why}")


def _reason(end: Discharge) -> str:
    """Return why it was not judged, and what to type where it can be."""
    # The highest level comes first, and what it takes there does for the others.
    commands = [declined.command for declined in end.declined[:1]]
    return printable(" ".join("; ".join([f"{end.outcome.lower()}: {end.message}", *commands]).split()))
