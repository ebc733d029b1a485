from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pv.host import Gpu, describe, gpu_satisfies, gpus, versions


@pytest.mark.parametrize(
    ("need", "capability", "wanted"),
    [
        ("any", "5.0", True),
        (">=8.9", "8.9", True),
        (">=8.9", "9.0", True),
        (">=8.9", "8.6", False),
        (">=8.9", "10.0", True),
        (">= 8.9", "12.0", True),
        ("==9.0", "9.0", True),
        ("==9.0", "10.0", False),
    ],
)
def test_capabilities_are_numbers_and_not_words(need: str, capability: str, wanted: bool) -> None:
    assert gpu_satisfies(need, capability) is wanted


def test_the_description_names_neither_host_nor_person() -> None:
    text = json.dumps(describe())
    assert os.uname().nodename not in text
    assert str(Path.home()) not in text
    assert describe()["cores"] >= 1
    assert describe()["memory_gib"] > 0


def answering(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    gpus.cache_clear()


def test_gpus_are_what_the_driver_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        answering(
            tmp_path, monkeypatch, "echo 'NVIDIA H200, 9.0, 580.95.05, 143771'; echo 'broken, [N/A], 1, 2'"
        )
        assert gpus() == (Gpu("NVIDIA H200", "9.0", "580.95.05", 143771),)
        assert gpus()[0].tag == "cuda-sm90"
        answering(tmp_path, monkeypatch, "exit 9")
        assert gpus() == ()
    finally:
        gpus.cache_clear()


def test_versions_are_those_of_the_distributions() -> None:
    import yaml

    assert versions(["yaml.reader", "nowhere_to_be_found"]) == {"PyYAML": yaml.__version__}
