from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from pv.check import Metric
from pv.discharge import discharge
from pv.json_pointer import PointerError
from pv.outcome import Discharge, Options
from pv.runner import Runner
from pv.subjects import Subjects
from pv.worker_command import samples_of

if TYPE_CHECKING:
    from tests.pv.conftest import Project

CLAUSE: Mapping[str, Any] = {
    "id": "FALSIFY-TOOL-001",
    "rule": "the tool finds no error",
    "prediction": "in what we ship",
    "if_fails": "it found one",
    "command": ["python", "tools/tool.py", "2"],
    "metrics": [{"name": "error", "pointer": "/error", "low": 0}],
    "expect": ["max(error) <= 0.5"],
    "needs": {"memory": "512 MiB", "timeout": "20 s"},
}
Run = Callable[..., Discharge]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with Runner(tmp_path_factory.mktemp("runner")) as started:
        yield started


@pytest.fixture
def run(project: Project, runner: Runner) -> Run:
    """Return a function that writes a tool and a clause, and discharges it without recording."""
    (project.root / "tools").mkdir()

    def do(tool: str, **changes: Any) -> Discharge:
        (project.root / "tools" / "tool.py").write_text(tool, encoding="utf-8")
        clause = {**CLAUSE, **changes}
        project.contract(clause)
        contract, config = project.load(), project.config()
        return discharge(
            contract, contract.falsifiers[0], config, Subjects(config), runner, Options(record=False)
        )

    return do


def says(text: str) -> str:
    return f"print({text!r})\n"


def test_the_words_after_the_program_are_replaced(run: Run) -> None:
    tool = "import json, sys\nprint(json.dumps({'error': abs(int(sys.argv[1]) - 2)}))\n"
    ended = run(tool, counter_examples={"three": {"arguments": ["tools/tool.py", "3"]}})
    assert ended.outcome == "Pass", ended
    assert [(plant.of, plant.caught) for plant in ended.plants] == [("arguments", True)]
    unnoticed = run(tool, counter_examples={"same": {"arguments": ["tools/tool.py", "02"]}})
    assert unnoticed.outcome == "Vacuous"


def test_a_role_and_a_variable_are_replaced(run: Run, project: Project) -> None:
    (project.root / "data/halves.txt").write_text("0.5\n")
    tool = (
        "import os, json, sys\n"
        "n = [float(line) for line in open(sys.argv[1])]\n"
        "print(json.dumps({'error': max(abs(x) for x in n if x == 0.5) if 0.5 in n else 0,"
        " 'colour': os.environ['COLOUR']}))\n"
    )
    ended = run(
        tool,
        command=["python", "tools/tool.py", "{words}"],
        subjects={"live": {"words": "shipped"}},
        environment={"COLOUR": "blue-{seed}-{device}"},
        metrics=[
            {"name": "error", "pointer": "/error"},
            {"name": "colour", "kind": "text", "pointer": "/colour"},
        ],
        expect=["error < 0.5", "colour == 'blue-0-cpu'"],
        counter_examples={
            "halves": {"subjects": {"words": "data/halves.txt"}},
            "red": {"environment": {"COLOUR": "red"}},
        },
    )
    assert ended.outcome == "Pass", (ended.message, ended.detail)
    assert [plant.of for plant in ended.plants] == ["role words", "environment COLOUR"]


@pytest.mark.parametrize(
    ("tool", "metric", "outcome", "why"),
    [
        (says('{"error": 0.25}'), {}, "Vacuous", ""),
        (says('{"error": 0.75}'), {}, "Fail", "found one"),
        (says('{"error": [0.1, 0.9]}'), {}, "Fail", "found one"),
        (says('{"error": {"a": 0.1, "b": 0.2}}'), {}, "Vacuous", ""),
        (says('{"error": []}'), {}, "Fail", ""),
        (says("0.25"), {"pointer": ""}, "Vacuous", ""),
        (says('{"error": "0.25"}'), {}, "Error", "the value is str, and the metric a real"),
        (says('{"error": true}'), {}, "Error", "the value is bool"),
        (says('{"error": true}'), {"kind": "count"}, "Fail", ""),
        (says('{"error": 1.0}'), {"kind": "count"}, "Error", "is float, and the metric a count"),
        (says('{"error": null}'), {}, "Error", "NoneType"),
        (says('{"error": [0.1, null]}'), {}, "Error", "the value at 1 is NoneType"),
        (says('{"error": NaN}'), {}, "Error", "NaN is no number of JSON"),
        (says('{"error": -Infinity}'), {}, "Error", "-Infinity is no number"),
        (says('{"error": 1e999}'), {}, "Error", "past what a float can hold"),
        (says('{"error": 1' + "0" * 400 + "}"), {}, "Error", "past what a float can hold"),
        (says('{"error": 0.1, "error": 0.1}'), {}, "Error", "key 'error' twice"),
        (says('{"other": 0.1}'), {}, "Error", "leads nowhere: at 'the top' is an object with .*other"),
        (says("progress\n{}"), {}, "Error", "it is no JSON"),
        (says(""), {}, "Error", "it is no JSON"),
        ("import sys\nsys.stdout.buffer.write(b'\\xff')\n", {}, "Error", "not UTF-8"),
        (says('{"error": 0.1}') + "raise SystemExit(3)\n", {}, "Error", "exit code 3; declare .*exit_code"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", {}, "Error", "ended by SIGSEGV"),
        ("print('[' * 200000)\n", {}, "Error", "nested too deeply|no JSON"),
        ("print(' ' * (17 << 20))\n", {}, "Error", "more than 16 MiB"),
        ("import sys\nprint(0, file=open(sys.argv[1] + '.none', 'x') if 0 else sys.stdout)\n",
         {"pointer": "/x", "file": "{scratch}/out.json"}, "Error", "left no file {scratch}/out.json"),
        ("import os\nos.symlink('/etc/passwd', os.environ['TMPDIR'] + '/out.json')\n",
         {"pointer": "/x", "file": "{scratch}/out.json"}, "Error", "leads out of the scratch folder"),
        ("import os\nopen(os.environ['TMPDIR'] + '/out.json', 'w').write('[0, 0.75]')\n",
         {"pointer": "/1", "file": "{scratch}/out.json"}, "Fail", ""),
        ("a = bytearray(1 << 30)\n", {}, "Error", "MemoryError|memory|exit code 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_no_measurement(
    run: Run, tool: str, metric: dict[str, Any], outcome: str, why: str
) -> None:
    ended = run(tool, metrics=[{"name": "error", "pointer": "/error", **metric}])
    assert ended.outcome == outcome, (ended.message, ended.detail)
    assert re.search(why, ended.message), ended.message


def test_an_exit_code_and_a_digest_are_metrics(run: Run) -> None:
    tool = "import sys\nopen(sys.argv[1] + '/out', 'wb').write(b'abc')\nraise SystemExit(int(sys.argv[2]))"
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    ended = run(
        tool,
        command=["python", "tools/tool.py", "{scratch}", "3"],
        metrics=[{"name": "exit_code"}, {"name": "written", "sha256_of": "{scratch}/out"}],
        expect=["exit_code == 3", f"written == '{abc}'"],
        counter_examples={"four": {"arguments": ["tools/tool.py", "{scratch}", "4"]}},
    )
    assert ended.outcome == "Pass", (ended.message, ended.detail)


def test_a_refuted_claim_holds_on_its_satisfying_example(run: Run) -> None:
    tool = (
        "import json, sys\none, other = (open(word).read() for word in sys.argv[1:])\n"
        "print(json.dumps({'error': one == other}))\n"
    )
    changes: dict[str, Any] = {
        "command": ["python", "tools/tool.py", "{one}", "{other}"],
        "subjects": {"live": {"one": "shipped", "other": "stand-in"}},
        "metrics": [{"name": "equal", "kind": "count", "pointer": "/error"}],
        "expect": ["equal == 1"],
        "outcome": "refuted",
    }
    ended = run(tool, **changes, satisfying_example={"subjects": {"other": "shipped"}})
    assert ended.outcome == "Refuted", (ended.message, ended.detail)
    ended = run(tool, **changes, satisfying_example={"subjects": {"one": "shipped"}})
    assert ended.outcome == "Vacuous"


def test_time_is_up_also_for_what_left_the_process_group(run: Run, project: Project) -> None:
    tool = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(2)\n"
        "    open('alive', 'w')\ntime.sleep(60)\n"
    )
    ended = run(tool, needs={"timeout": "1 s", "memory": "512 MiB"})
    assert (ended.outcome, "did not end within 1 s" in ended.message) == ("Error", True), ended.message
    time.sleep(1.5)
    assert not (project.root / "alive").exists()


def test_a_command_that_leaves_its_children_running_has_not_ended(run: Run) -> None:
    tool = says('{"error": 0}') + "import os, time\nif os.fork() == 0:\n    time.sleep(30)\n"
    ended = run(tool)
    assert (ended.outcome, "still runs" in ended.message) == ("Error", True), ended.message


def test_no_more_of_the_environment_reaches_it_than_is_declared(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2")
    (project.root / "tools").mkdir()
    (project.root / "tools/tool.py").write_text(
        "import json, os, sys, beside\nprint(json.dumps({'names': sorted(os.environ), 'cwd': os.listdir('.'),"
        " 'input': sys.stdin.read(), 'error': 0}))\n"
    )
    (project.root / "tools/beside.py").write_text("")
    metrics = [*CLAUSE["metrics"], {"name": "names", "kind": "text", "pointer": "/names"}]
    metrics += [
        {"name": "cwd", "kind": "text", "pointer": "/cwd"},
        {"name": "given", "kind": "text", "pointer": "/input"},
    ]
    clause = {**CLAUSE, "metrics": metrics, "environment": {"OURS": "1"}}
    project.contract({**clause, "counter_examples": {"x": {"environment": {"OURS": "2"}}}})
    assert project.pv("discharge", CLAUSE["id"]).code == 1  # it does not notice, but is recorded
    record = json.loads(project.record("algorithm", CLAUSE["id"]).read_bytes())
    measured = record["predicate"]["measurements"]
    assert {"OURS", "PATH", "TMPDIR"} <= set(measured["names"]["values"])
    assert "A_SECRET" not in measured["names"]["values"]
    assert "pv.toml" in measured["cwd"]["values"]
    assert measured["given"]["values"] == [""]
    assert set(record["predicate"]["inputs"]["modules"]) >= {"tools/tool.py", "tools/beside.py"}


def test_a_program_that_is_not_here_declines(run: Run) -> None:
    ended = run("", command=["no-such-program", "x"])
    assert (ended.outcome, "no program no-such-program" in ended.message) == ("Declined", True), ended


def test_a_program_of_the_project_is_run_as_it_is(run: Run, project: Project) -> None:
    script = project.root / "tools/tool.sh"
    script.write_text('#!/bin/sh\nprintf \'{"error": %s}\' "$1"\n')
    assert "cannot be run" in run("", command=["tools/tool.sh", "0"]).message
    script.chmod(0o755)
    ended = run("", command=["tools/tool.sh", "0"], counter_examples={"one": {"arguments": ["1; $(ls)"]}})
    assert (ended.outcome, "it is no JSON" in ended.message) == ("Error", True), "no shell reads the words"
    ended = run("", command=["tools/tool.sh", "0"], counter_examples={"one": {"arguments": ["1"]}})
    assert ended.outcome == "Pass", ended.message


def test_evidence_goes_stale_with_the_tool_and_what_it_names(project: Project) -> None:
    (project.root / "tools").mkdir()
    files = {
        "tools/tool.py": "import json, sys\nfrom beside import TWO\n"
        "print(json.dumps({'error': abs(int(sys.argv[1]) - TWO)}))\n",
        "tools/beside.py": "TWO = 2\n",
        "data/table.csv": "1,2\n",
    }
    for name, text in files.items():
        (project.root / name).write_text(text)
    plants = {"three": {"arguments": ["tools/tool.py", "3"]}}
    project.contract({**CLAUSE, "sources": ["data/table.csv"], "counter_examples": plants})
    ended = project.pv("discharge", CLAUSE["id"])
    assert ended.code == 0, ended.said
    assert project.status(CLAUSE["id"]) == ("DISCHARGED", "judged live")
    for name, text in files.items():
        (project.root / name).write_text(text.replace("2", "4 - 2").replace("abs(", "+abs("))
        status, reason = project.status(CLAUSE["id"])
        assert (status, name in reason) == ("STALE", True), reason
        (project.root / name).write_text(text)
    (project.root / "tools/tool.py").write_text("# a remark\n" + files["tools/tool.py"])
    assert project.status(CLAUSE["id"])[0] == "DISCHARGED"


def test_samples_are_labelled_by_place() -> None:
    real = Metric("x")
    assert list(samples_of({"a": 1, "b": 2.5}, real)) == [(1.0, "a"), (2.5, "b")]
    assert list(samples_of([3], real)) == [(3.0, "0")]
    assert list(samples_of(3, real)) == [(3.0, None)]
    assert list(samples_of("x", Metric("t", kind="text"))) == [("x", None)]
    with pytest.raises(PointerError, match="at 'a' is list"):
        list(samples_of({"a": [1]}, real))


def test_a_program_of_the_project_that_is_found_on_path_is_not_run(run: Run, project: Project) -> None:
    program = project.root / "bin" / "audit"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho '{\"error\": 0}'\n", encoding="ascii")
    program.chmod(0o755)
    end = run("", command=["audit"], environment={"PATH": f"{project.root}/bin:/usr/bin:/bin"})
    assert end.outcome == "Error", end
    assert "audit is bin/audit of the project, which evidence would not name" in end.message
