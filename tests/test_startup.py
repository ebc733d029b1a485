"""What `pv --help` and `pv validate` do not import: a pre-commit hook must start quickly and run nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SEARCH = os.pathsep.join(str(ROOT / folder) for folder in ("", "runtime", "kernels"))

HEAVY = {"numpy", "scipy", "torch", "triton", "safetensors", "gguf", "tokenizers", "transformers"}
NOT_NEEDED = {"rich", "jsonschema", "ruamel", "huggingface_hub", "pytest", "hypothesis"}
NAMED_BY_CONTRACTS = {"pv_runtime", "pv_kernels", "recipe"}
FORBIDDEN = HEAVY | NOT_NEEDED | NAMED_BY_CONTRACTS
"""Top-level packages: heavy libraries, and whatever a contract could name."""

PROGRAM = """
import atexit, json, sys
atexit.register(lambda: print("\\n" + json.dumps(sorted({name.split(".")[0] for name in sys.modules}))))
from pv.cli import main
sys.exit(main(sys.argv[1:]))
"""


def ended(*arguments: str, program: str = PROGRAM) -> tuple[set[str], str]:
    """Return the top-level modules that are loaded when a `pv` of its own ends, and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": SEARCH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    *said, loaded = done.stdout.splitlines()
    return set(json.loads(loaded)), "\n".join(said)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["validate", "--help"],
        ["gate", "--help"],
        ["validate", "contracts/qwen2-e2e-verification-v1.yaml"],
        ["validate", "contracts/tiny-qwen2-ship-v1.yaml"],
        ["validate", "contracts/rope-kernel-v1.yaml", "--format", "json"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_and_nothing_that_a_contract_names_is_imported(arguments: list[str]) -> None:
    loaded, _ = ended(*arguments)
    assert "pv" in loaded
    assert not loaded & FORBIDDEN


def test_our_contracts_are_valid_and_nothing_that_they_name_is_imported() -> None:
    loaded, said = ended("validate", "contracts")
    assert "\n0 error(s), " in said
    assert not loaded & FORBIDDEN


def test_the_measurement_sees_an_import() -> None:
    assert "rich" in ended("--help", program=PROGRAM.replace("import atexit", "import rich, atexit"))[0]


def test_help_imports_neither_the_commands_nor_a_parser_of_contracts() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "pv", "--help"]
    environment = {**os.environ, "PYTHONPATH": SEARCH}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "pv.cli" in names
    assert not {name for name in names if name.startswith("pv.commands")}
    assert not {"pydantic", "pydantic_core", "yaml"} & names
