"""The floors and the arrows between them, read from the sources; nothing is imported."""

from __future__ import annotations

import ast
import graphlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = {
    "pv": ROOT / "pv",
    "pv_runtime": ROOT / "runtime/pv_runtime",
    "pv_kernels": ROOT / "kernels/pv_kernels",
}
SOURCES = sorted(
    path
    for folder in ("pv", "runtime", "kernels", "tests", "benchmarks", "models", "docs")
    for path in (ROOT / folder).rglob("*.py")
)

OPTIONAL = {
    "pv/notation/mathml.py": {"latex2mathml"},
    "pv/reports/site/templates.py": {"jinja2"},
    "pv/executors/ray_actor.py": {"ray"},
    "pv/executors/ray_driver.py": {"ray"},
    "pv/executors/ray_nodes.py": {"ray"},
    "pv/executors/ray_pool.py": {"ray"},
    "pv/store/objects.py": {"fsspec"},
    "pv/ledger/ledger.py": {"sqlalchemy"},
    "pv/ledger/rows.py": {"sqlalchemy"},
    "pv/ledger/tables.py": {"sqlalchemy"},
    "pv/hub_download.py": {"huggingface_hub"},
    "pv/signatures/keys.py": {"cryptography", "securesystemslib"},
    "pv/signatures/public_keys.py": {"cryptography"},
    "pv/signatures/sign.py": {"securesystemslib"},
    # A plugin of pytest is loaded by pytest, so that it is there.
    **{f"pv/pytest_{name}.py": {"pytest"} for name in ("items", "markers", "plugin", "tally")},
    "pv/properties/drawing.py": {"hypothesis"},
    "pv/properties/names.py": {"z3"},
    "pv/properties/proof.py": {"z3"},
    "pv/properties/search.py": {"hypothesis"},
    "pv/properties/translate.py": {"z3"},
    "pv/executors/slurm_job.py": {"submitit"},
    "pv/executors/slurm_local.py": {"submitit"},
    "pv/executors/slurm_queue.py": {"submitit"},
}
"""Module → what else it imports, late, and tells its user to install."""

CORE = frozenset({"pv", "pydantic", "pydantic_core", "yaml", "ruamel", "rich"})
"""Outside the standard library, what the engine may import: its declared dependencies."""

TESTED_THROUGH = {
    "tests/pv/test_binding_declared.py": ["pv/binding_metrics.py", "pv/project_paths.py"],
    "tests/pv/test_binding_property.py": ["pv/worker_property.py"],
    "tests/pv/test_source_files.py": ["pv/command_files.py", "pv/pytest_settings.py"],
    "tests/pv/test_worker_pytest.py": ["pv/launch.py", "pv/mutants.py"],
    "tests/pv/test_status.py": ["pv/agreement.py"],
    "tests/pv/test_git_records.py": ["pv/git_objects.py"],
    "tests/pv/test_history.py": ["pv/history_sources.py"],
    "tests/pv/evidence_actions/test_evidence_actions.py": ["pv/reports/history.py"],
    "tests/pv/test_gate.py": [
        "pv/gate_inputs.py",
        "pv/gate_layout.py",
        "pv/gate_scope.py",
        "pv/gate_tree.py",
    ],
    "tests/pv/commands/test_gate.py": ["pv/gate_policy.py", "pv/gate_verdict.py"],
    "tests/pv/test_git_tree.py": ["pv/gate_change.py"],
    "tests/pv/test_evidence.py": ["pv/whole_file.py"],
    "tests/pv/signatures/test_policy_file.py": ["pv/signatures/policy.py"],
    "tests/pv/signatures/test_demanded.py": ["pv/counted_evidence.py"],
    "tests/pv/signatures/test_demanded_by_gate.py": ["pv/gate_trust.py"],
    "tests/pv/signatures/test_trust.py": [
        "pv/signatures/granting.py",
        "pv/signatures/judging.py",
        "pv/signatures/reasons.py",
        "pv/signatures/signers.py",
        "pv/signatures/tree.py",
    ],
    "tests/pv/test_document.py": ["pv/document_builder.py", "pv/scalar.py"],
    "tests/pv/test_plain_document.py": ["pv/place.py"],
    "tests/pv/test_contract.py": [
        "pv/schema.py",
        "pv/schema_blocks.py",
        "pv/schema_property.py",
        "pv/schema_types.py",
        "pv/schema_values.py",
        "pv/shape.py",
        "pv/shape_problems.py",
    ],
    "tests/pv/test_artefacts.py": ["pv/schema_artefacts.py"],
    "tests/pv/test_json_schema.py": ["pv/schema_descriptions.py"],
    "tests/pv/test_edit.py": ["pv/splice.py"],
    "tests/pv/test_rewriting.py": ["pv/rewrites.py"],
    "tests/pv/commands/test_migrate.py": ["pv/rewritten_file.py"],
    "tests/pv/test_mends.py": ["pv/mending.py"],
    "tests/pv/test_baseline.py": ["pv/clause_at.py", "pv/known_findings.py"],
    "tests/pv/commands/test_status.py": ["pv/reports/status.py"],
    "tests/pv/commands/test_coverage.py": ["pv/reports/coverage.py"],
    "tests/pv/commands/test_audit.py": ["pv/reports/traceability.py"],
    "tests/pv/commands/test_diff.py": ["pv/reports/meaning.py"],
    "tests/pv/test_tracing.py": [
        "pv/traceability.py",
        "pv/traceability_codes.py",
        "pv/traceability_evidence.py",
    ],
    "tests/pv/commands/test_equations.py": ["pv/equations.py", "pv/reports/equations.py"],
    "tests/pv/roofline/test_roofline.py": ["pv/commands/roofline.py", "pv/reports/roofline.py"],
    "tests/pv/commands/test_validate.py": [
        "pv/errors.py",
        "pv/finding.py",
        "pv/obligation_ids.py",
        "pv/reports/validation.py",
    ],
    "tests/pv/test_runner.py": ["pv/jobs.py", "pv/processes.py", "pv/worker.py", "pv/zygote.py"],
    "tests/pv/reports/site/test_write.py": [
        "pv/reports/site/contract_page.py",
        "pv/reports/site/falsifier_page.py",
        "pv/reports/site/index.py",
        "pv/reports/site/investigations.py",
        "pv/reports/site/pen.py",
        "pv/reports/site/source.py",
        "pv/reports/site/templates.py",
    ],
    "tests/pv/test_basis.py": ["pv/discharge_gate.py"],
    "tests/pv/test_dosing.py": ["pv/demonstration.py"],
    "tests/pv/test_discharge.py": [
        "pv/discharge_check.py",
        "pv/outcome.py",
        "pv/predicate.py",
    ],
    "tests/pv/test_runs.py": ["pv/discharge_runs.py"],
    "tests/pv/test_fetch.py": [
        "pv/commands/fetch.py",
        "pv/hub.py",
        "pv/hub_download.py",
        "pv/hub_errors.py",
    ],
    "tests/pv/test_property_drafts.py": ["pv/reports/property_drafts.py"],
    "tests/pv/test_scaffold.py": ["pv/python_module.py", "pv/skeletons.py"],
    "tests/pv/test_pytest_plugin.py": ["pv/pytest_items.py", "pv/pytest_tally.py"],
    "tests/pv/commands/test_discharge.py": ["pv/progress.py"],
    "tests/pv/commands/test_sweep.py": [
        "pv/command_line.py",
        "pv/reports/sweep.py",
        "pv/sweep_run.py",
        "pv/sweep_selection.py",
    ],
    "tests/pv/executors/test_local.py": ["pv/executors/protocol.py", "pv/executors/worker.py"],
    "tests/pv/executors/test_ray.py": [
        "pv/executors/ray_actor.py",
        "pv/executors/ray_driver.py",
        "pv/executors/ray_nodes.py",
        "pv/executors/ray_pool.py",
    ],
    "tests/pv/executors/test_slurm.py": ["pv/executors/slurm_local.py"],
    "tests/pv/test_survey.py": [
        "pv/expression/boundary.py",
        "pv/expression/interval.py",
        "pv/expression/kinds.py",
        "pv/expression/probe.py",
        "pv/expression/search.py",
    ],
    "tests/pv/expression/test_evaluate.py": ["pv/expression/evaluator.py"],
    "tests/pv/expression/test_parse.py": ["pv/expression/reader.py", "pv/expression/syntax.py"],
    "tests/pv/expression/test_margin.py": ["pv/expression/trace.py"],
}
"""Test file → the modules that it tests through the one that they were split off from, or that uses them."""

WITHOUT_TEST = {"pv/__init__.py", "pv/__main__.py", "pv/semantics.py"}
"""A version, a line, a number. Nor have packages that only gather names."""


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path, *, top_level: bool = False) -> Iterator[str]:
    """Yield the full names that `path` imports; with `top_level`, only those that importing it imports."""
    tree = ast.parse(path.read_bytes())
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides which module is meant"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(name: str, floor: str) -> Path | None:
    """Return the file of the module `name`, or of the module whose attribute it is."""
    parts = name.split(".")
    while parts and parts[0] == floor:
        base = FLOORS[floor].joinpath(*parts[1:])
        for candidate in (base.with_suffix(".py"), base / "__init__.py"):
            if candidate.is_file():
                return candidate
        parts.pop()
    return None


def files(floor: str) -> list[Path]:
    found = sorted(path for path in FLOORS[floor].rglob("*.py") if "templates" not in path.parts)
    assert found
    return found


@pytest.mark.parametrize("path", files("pv"), ids=shown)
def test_the_engine_imports_the_standard_library_and_its_declared_dependencies(path: Path) -> None:
    outside = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names)
    assert outside <= CORE | OPTIONAL.get(shown(path), set())


@pytest.mark.parametrize("floor", ["pv_runtime", "pv_kernels"])
def test_the_other_floors_see_only_the_authors_api_of_the_engine(floor: str) -> None:
    for path in files(floor):
        engine = {name for name in imports(path) if name.split(".")[0] == "pv"}
        assert all(name.startswith("pv.check.") for name in engine), f"{shown(path)}: {engine}"


def test_the_kernels_do_not_import_the_runtime() -> None:
    for path in files("pv_kernels"):
        assert not {name for name in imports(path) if name.split(".")[0] == "pv_runtime"}


def test_the_authors_api_needs_nothing_but_the_standard_library() -> None:
    assert {name.split(".")[0] for name in imports(ROOT / "pv/check.py")} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("floor", sorted(FLOORS))
def test_modules_form_layers(floor: str) -> None:
    graph = {
        path: {found for name in imports(path, top_level=True) if (found := module_of(name, floor))} - {path}
        for path in files(floor)
    }
    assert floor == "pv_kernels" or any(graph.values())
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_no_file_is_too_long_to_read() -> None:
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert "pv/check.py" in lengths
    assert {name: count for name, count in lengths.items() if count > 400} == {}


def commands() -> dict[str, str]:
    for node in ast.parse((ROOT / "pv/cli.py").read_bytes()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMMANDS":
            found: dict[str, str] = ast.literal_eval(node.value)
            return found
    raise AssertionError("pv/cli.py has no COMMANDS")


def test_every_command_has_a_module_a_help_text_and_a_place_in_the_documents() -> None:
    modules = {path.stem for path in (ROOT / "pv/commands").glob("*.py")} - {"__init__"}
    assert modules == set(commands())
    texts = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    documented = "\n".join(path.read_text(encoding="utf-8") for path in texts)
    for name, help_text in commands().items():
        assert len(help_text.split()) >= 3, name
        assert re.search(rf"\bpv {name}\b", documented), name


def test_tests_mirror_modules() -> None:
    through = {module for modules in TESTED_THROUGH.values() for module in modules}
    missing = []
    for path in files("pv"):
        name = path.relative_to(ROOT)
        own = ROOT / "tests" / name.with_name(f"test_{name.name}")
        # The rules are one idea each, and one table of examples tests them all.
        together = ROOT / "tests" / name.parent / f"test_{name.parent.name}.py"
        gathers_names = name.name == "__init__.py" and not defines_anything(path)
        if not (
            own.is_file() or together.is_file() or gathers_names or shown(path) in through | WITHOUT_TEST
        ):
            missing.append(shown(own))
    assert missing == []


def defines_anything(path: Path) -> bool:
    return any(isinstance(n, ast.FunctionDef | ast.ClassDef) for n in ast.parse(path.read_bytes()).body)


def test_the_exceptions_are_needed_and_their_tests_are_there() -> None:
    for test, modules in TESTED_THROUGH.items():
        assert (ROOT / test).is_file(), test
        for module in modules:
            assert (ROOT / module).is_file(), module
            assert not (ROOT / "tests" / Path(module).with_name(f"test_{Path(module).name}")).exists(), module
    assert all((ROOT / module).is_file() for module in WITHOUT_TEST)
