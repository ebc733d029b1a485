from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from pv.commands import validate
from pv.contract import Contract
from pv.errors import SelectionError
from pv.exits import Exit
from pv.finding import Finding
from pv.project import Project
from pv.rules import project_rules

ROOT = Path(__file__).parents[3]
RULES = ROOT / "tests" / "pv" / "rules" / "resources"
GOOD = RULES / "SCHEMA-001.good.yaml"
BAD = RULES / "SCHEMA-001.bad.yaml"
WARNED = RULES / "SCHEMA-012.bad.yaml"
CORPUS = ROOT.parent / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the outside corpus is not here")
ONTOLOGY = "schema: ont-sigma-v1\nconcepts: {}\n"


def run(*arguments: str | Path) -> Exit:
    parser = argparse.ArgumentParser()
    validate.configure(parser)
    return validate.run(parser.parse_args([str(argument) for argument in arguments]))


Captured = pytest.CaptureFixture[str]


def test_a_valid_contract(capsys: Captured) -> None:
    assert run(GOOD) is Exit.ACCEPTED
    assert capsys.readouterr() == ("\n0 error(s), 0 warning(s)\nContract is valid.\n", "")


def test_an_invalid_contract(capsys: Captured) -> None:
    assert run(BAD) is Exit.REJECTED
    out, err = capsys.readouterr()
    assert out == (
        f"{BAD}:5:3: error[SCHEMA-001]: metadata.references must not be empty\n"
        "    Cite the paper, specification or measurement that the claims come from.\n"
        "\n1 error(s), 0 warning(s)\n"
    )
    assert err == "error: Contract has 1 validation error(s)\n"


def test_a_warning_does_not_reject(capsys: Captured) -> None:
    assert run(WARNED) is Exit.ACCEPTED
    out, _ = capsys.readouterr()
    assert out.startswith(f"{WARNED}:19:3: warning[SCHEMA-012]: harness KANI-ID-001 has no bound\n    ")
    assert out.endswith("\n\n0 error(s), 1 warning(s)\nContract is valid.\n")


def test_several(capsys: Captured, tmp_path: Path) -> None:
    assert run(GOOD, WARNED) is Exit.ACCEPTED
    assert capsys.readouterr().out.endswith("\n0 error(s), 1 warning(s)\n2 contracts are valid.\n")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [", encoding="utf-8")
    assert run(BAD, broken, GOOD) is Exit.REJECTED
    out, err = capsys.readouterr()
    assert "error[SCHEMA-001]" in out
    assert f"{broken}:2:1: error[YAML-001]: not YAML: " in out
    assert out.endswith("\n2 error(s), 0 warning(s)\n")
    assert err == "error: 2 of 3 contracts are not valid\n"


def test_findings_are_sorted_whatever_the_order(capsys: Captured) -> None:
    files = sorted(RULES.glob("*.bad.yaml"))
    run(*files)
    forward = capsys.readouterr().out
    run(*reversed(files))
    assert capsys.readouterr().out == forward
    assert forward.count("error[SCHEMA-007]") == 2


def test_json(capsys: Captured) -> None:
    assert run(BAD, WARNED, "--format", "json") is Exit.REJECTED
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert err == ""
    assert (report["contracts"], report["errors"], report["warnings"]) == (2, 1, 1)
    assert report["findings"][0] == {
        "file": str(BAD),
        "line": 5,
        "column": 3,
        "code": "SCHEMA-001",
        "severity": "error",
        "message": "metadata.references must not be empty",
        "remedy": "Cite the paper, specification or measurement that the claims come from.",
    }
    assert run(GOOD, "--format", "json") is Exit.ACCEPTED
    assert json.loads(capsys.readouterr().out) == {"findings": [], "contracts": 1, "errors": 0, "warnings": 0}


def test_what_is_known_and_has_no_rules_is_named_and_not_counted(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "ontology.yaml").write_text(ONTOLOGY, encoding="utf-8")
    assert run(tmp_path, GOOD) is Exit.ACCEPTED
    out, err = capsys.readouterr()
    assert out.endswith(f"Contract is valid.\n\n0 artifact(s) under {tmp_path}, 0 failed\n")
    assert err == f"{tmp_path}/ontology.yaml: note: this is an ontology, not a contract; it was not checked\n"


REGISTRY = RULES / "BINDING-001.good.yaml"


def test_a_binding_registry_is_judged_and_called_what_it_is(capsys: Captured, tmp_path: Path) -> None:
    assert run(REGISTRY) is Exit.ACCEPTED
    assert capsys.readouterr() == (
        "\n0 error(s), 0 warning(s)\nBinding registry (kind: binding) is valid.\n",
        "",
    )
    assert run(RULES / "BINDING-004.bad.yaml") is Exit.REJECTED
    out, err = capsys.readouterr()
    assert out.endswith("\n\n2 error(s), 0 warning(s)\n")
    assert err == "error: Binding registry (kind: binding) has 2 validation error(s)\n"
    twice = tmp_path / "under-any-name.yml"
    twice.write_bytes(REGISTRY.read_bytes())
    assert run(REGISTRY, twice) is Exit.ACCEPTED
    assert capsys.readouterr().out.endswith("\n2 binding registries are valid.\n")
    assert run(REGISTRY, RULES / "BINDING-004.bad.yaml") is Exit.REJECTED
    assert capsys.readouterr().err == "error: 1 of 2 binding registries are not valid\n"


def test_a_publish_manifest_is_judged_by_the_contract_beside_it(capsys: Captured, tmp_path: Path) -> None:
    manifest = tmp_path / "manifests" / "model.yaml"
    manifest.parent.mkdir()
    manifest.write_bytes((RULES / "PM-SHAPE-001.good.yaml").read_bytes())
    assert run(manifest) is Exit.REJECTED
    out, err = capsys.readouterr()
    assert f"{manifest}:2:1: error[PM-SHAPE-000]: there is no publish-manifest-v1.yaml" in out
    assert err == "error: Publish manifest (kind: publish-manifest) has 1 validation error(s)\n"
    owner = tmp_path / "publish-manifest-v1.yaml"
    owner.write_text("schema: {required_fields: [license]}\n", encoding="utf-8")
    assert run(manifest) is Exit.ACCEPTED
    assert capsys.readouterr().out.endswith("\nPublish manifest (kind: publish-manifest) is valid.\n")


def test_a_folder_of_all_kinds_is_summed_up(capsys: Captured, tmp_path: Path) -> None:
    for file in (GOOD, WARNED, REGISTRY):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert run(tmp_path) is Exit.ACCEPTED
    assert capsys.readouterr().out.endswith(
        "\n\n0 error(s), 1 warning(s)\n2 contracts are valid.\nBinding registry (kind: binding) is valid.\n"
        f"\n3 artifact(s) under {tmp_path}, 0 failed\n"
    )
    (tmp_path / "bad.yaml").write_bytes((RULES / "BINDING-004.bad.yaml").read_bytes())
    assert run(tmp_path) is Exit.REJECTED
    out, err = capsys.readouterr()
    assert out.endswith(f"\n\n2 error(s), 1 warning(s)\n\n4 artifact(s) under {tmp_path}, 1 failed\n")
    assert err == "error: 1 of 4 files are not valid\n"
    assert run(tmp_path, "--json") is Exit.REJECTED
    report = json.loads(capsys.readouterr().out)
    assert (report["contracts"], report["binding_registries"], report["errors"]) == (2, 2, 2)


def test_ids_are_counted(capsys: Captured, tmp_path: Path) -> None:
    contract = tmp_path / "a-v1.yaml"
    contract.write_text(
        "metadata: {version: '1', description: x}\n"
        "proof_obligations: [{id: A, property: p}, {id: B, property: q}, {property: r}]\n"
        "kani_harnesses: [{id: K, obligation: A}, {id: L, obligation: C}]\n",
        encoding="utf-8",
    )
    (tmp_path / "binding.yaml").write_bytes(REGISTRY.read_bytes())
    (tmp_path / "broken.yaml").write_text("a: [", encoding="utf-8")
    assert run(tmp_path, "--check-ids") is Exit.ACCEPTED
    counted = "3 obligations, 2 with id, 1 referenced   (1 contract(s) under "
    assert capsys.readouterr() == (f"{counted}{tmp_path})\n", "")
    assert run(contract, "--check-ids", "--json") is Exit.ACCEPTED
    assert json.loads(capsys.readouterr().out) == {
        "path": str(contract),
        "obligations": 3,
        "with_id": 2,
        "referenced": 1,
        "contracts": 1,
    }
    with pytest.raises(SelectionError, match="0 contracts under"):
        run(tmp_path / "binding.yaml", "--check-ids")


@pytest.mark.parametrize("content", [None, ONTOLOGY])
def test_a_folder_without_contracts_is_never_green(
    capsys: Captured, tmp_path: Path, content: str | None
) -> None:
    if content:
        (tmp_path / "ontology.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(SelectionError) as caught:
        run(tmp_path)
    assert caught.value.exit is Exit.USAGE
    assert capsys.readouterr().out == ""


def test_a_missing_file_is_a_wrong_command_line(tmp_path: Path) -> None:
    with pytest.raises(SelectionError, match=r"none\.yaml"):
        run(GOOD, tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" * 3000, "YAML-003"),
        ("a: [&a [x,x,x,x,x,x,x,x,x]" + "".join(f", &{c} [{','.join(['*' + p] * 9)}]" for p, c in
         zip("abcdefgh", "bcdefghi", strict=True)) + "]", "YAML-004"),
        ("metadata: {version: '1', description: x}\nmetadata: {}", "YAML-002"),
        ("metadata: {version: .nan, description: x}", "YAML-005"),
        ("\0", "YAML-010"),
        ("just text", "SCHEMA-000"),
        ("metadata: {version: '1', description: x}\nproof_obligations: [{tolerance: -1}]", "SCHEMA-000"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_message(capsys: Captured, tmp_path: Path, text: str, code: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    assert run(path) is Exit.REJECTED
    out, err = capsys.readouterr()
    assert f": error[{code}]: " in out
    assert out.count("error[") == 1
    assert "Traceback" not in out + err


def test_a_contract_does_not_drive_the_terminal(capsys: Captured, tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2J.yaml"
    path.write_text(
        'metadata: {version: "1", description: x, kind: "\\e[31m\\n::error::x\\u202e"}', encoding="utf-8"
    )
    assert run(path) is Exit.REJECTED
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 4
    assert all(line.isprintable() for line in (out + err).splitlines())


def test_only_a_contract_that_asks_something_of_its_project_is_judged_in_it(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def ask(contract: Contract, _: Project) -> list[Finding]:
        asked.append(contract.stem)
        return [Finding(contract.falsifiers[0].where, "X-001", "error", "no evidence", "Run it.")]

    monkeypatch.setattr(project_rules, "judge_in_project", ask)
    claiming = tmp_path / "claiming.yaml"
    text = GOOD.read_text(encoding="utf-8")
    claiming.write_text(text.replace("  rule:", "  discharge_status: DISCHARGED\n  rule:"), encoding="utf-8")
    assert run(GOOD) is Exit.ACCEPTED
    assert run(claiming) is Exit.REJECTED
    assert asked == ["claiming"]
    assert "error[X-001]" in capsys.readouterr().out


def test_a_report_is_written_beside(capsys: Captured, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    assert run(BAD, "--report", f"json:{file}") is Exit.REJECTED
    assert "SCHEMA-001" in capsys.readouterr().out
    assert json.loads(file.read_text(encoding="utf-8"))["command"] == "validate"


def test_strict(capsys: Captured) -> None:
    assert run(WARNED, "--strict") is Exit.REJECTED
    out, err = capsys.readouterr()
    assert out.endswith("\n\n0 error(s), 1 warning(s)\n")
    assert err == "error: --strict: 1 warning(s)\n"
    assert run(WARNED, "--strict", "--json") is Exit.REJECTED
    assert json.loads(capsys.readouterr().out)["warnings"] == 1
    assert run(GOOD, "--strict") is Exit.ACCEPTED
    assert capsys.readouterr().out.endswith("Contract is valid.\n")
    assert run(BAD, "--strict") is Exit.REJECTED
    assert capsys.readouterr().err == "error: Contract has 1 validation error(s)\n"


def test_two_contracts_of_one_name_are_an_error_each(capsys: Captured, tmp_path: Path) -> None:
    for name in ("a/same-v1.yaml", "b/same-v1.yml", "b/other-v1.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(GOOD.read_bytes())
    assert run(tmp_path) is Exit.REJECTED
    out = capsys.readouterr().out
    assert f"{tmp_path}/a/same-v1.yaml:2:1: error[PV-ID-002]: another contract is named same-v1: " in out
    assert f"{tmp_path}/b/same-v1.yml:2:1: error[PV-ID-002]" in out
    assert out.endswith(f"\n2 error(s), 0 warning(s)\n\n3 artifact(s) under {tmp_path}, 2 failed\n")
    assert run(tmp_path / "a", tmp_path / "b/other-v1.yaml") is Exit.ACCEPTED


@needs_corpus
def test_the_corpus(capsys: Captured) -> None:
    own = sorted(CORPUS.glob("*.yaml"))
    assert run(*own) is Exit.ACCEPTED
    assert capsys.readouterr().out.endswith("87 contracts are valid.\n")
    assert run(CORPUS) is Exit.REJECTED
    out, err = capsys.readouterr()
    assert out.endswith(f"\n\n92 artifact(s) under {CORPUS}, 5 failed\n")
    assert err == "error: 5 of 92 files are not valid\n"


PROGRAM = """
import argparse, sys
from pv.commands import validate
parser = argparse.ArgumentParser()
validate.configure(parser)
validate.run(parser.parse_args(sys.argv[1:]))
heavy = {"numpy", "torch", "triton", "pydantic", "ruamel", "rich", "pv_runtime", "pv_kernels"}
sys.exit(", ".join(sorted(heavy & sys.modules.keys())) or None)
"""


def python(*arguments: str) -> float:
    """Run Python and return the seconds of processor time that it took; what else runs adds nothing."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "runtime", ROOT / "kernels")))
    }
    subprocess.run(
        [sys.executable, *arguments], check=True, env=environment, stdout=subprocess.DEVNULL, timeout=60
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_nothing_heavy_is_imported_and_no_check() -> None:
    python("-c", PROGRAM, str(RULES / "PV-RULE-001.good.yaml"))


def test_one_file_takes_at_most_twenty_times_a_bare_python() -> None:
    python("-c", PROGRAM, str(GOOD))
    bare = min(python("-c", "pass") for _ in range(5))
    ours = min(python("-c", PROGRAM, str(GOOD)) for _ in range(5))
    assert ours <= 20 * bare
