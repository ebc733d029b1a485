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
            tmp_path,
            monkeypatch,
            "echo 'NVIDIA H200, 9.0, 580.95.05, 143771, GPU-1'; echo 'broken, [N/A], 1, 2, GPU-2'",
        )
        assert gpus() == (Gpu("NVIDIA H200", "9.0", "580.95.05", 143771, "GPU-1"),)
        assert gpus()[0].tag == "cuda-sm90"
        answering(tmp_path, monkeypatch, "exit 9")
        assert gpus() == ()
    finally:
        gpus.cache_clear()


LISTED = """
case "$1" in
-L) printf 'GPU 0: H100 (UUID: GPU-aa)\n  MIG 1g.10gb Device 0: (UUID: MIG-11)\nGPU 1: H100 (UUID: GPU-ab)\n';
    printf '  MIG 1g.10gb Device 0: (UUID: MIG-12)\n' ;;
*)  printf 'H100, 9.0, 1, 80, GPU-aa\nH100, 9.0, 1, 80, GPU-ab\nT4, 7.5, 1, 16, GPU-ba\n' ;;
esac
"""


@pytest.mark.parametrize(
    ("stated", "wanted"),
    [
        (None, ["GPU-aa", "GPU-ab", "GPU-ba"]),
        ("2,0", ["GPU-ba", "GPU-aa"]),
        ("GPU-ab", ["GPU-ab"]),
        ("GPU-b", ["GPU-ba"]),
        ("MIG-12", ["MIG-12"]),
        ("0,GPU-a,2", ["GPU-aa"]),
        ("0, 7, 1", ["GPU-aa"]),
        ("-1", []),
        ("", []),
        ("MIG-13", []),
    ],
)
def test_a_scheduler_says_which_gpus_are_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stated: str | None, wanted: list[str]
) -> None:
    if stated is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", stated)
    try:
        answering(tmp_path, monkeypatch, LISTED)
        assert [gpu.uuid for gpu in gpus()] == wanted
        assert all("uuid" not in gpu for gpu in describe()["gpus"])
        assert len(describe()["gpus"]) == len(wanted)
    finally:
        gpus.cache_clear()


def test_versions_are_those_of_the_distributions() -> None:
    import yaml

    assert versions(["yaml.reader", "nowhere_to_be_found"]) == {"PyYAML": yaml.__version__}


@pytest.mark.parametrize(
    ("stated", "threads"), [("3", 3), ("3,2", 3), (" 4 ", 4), ("", None), ("many", None), ("0", None)]
)
def test_the_threads_of_a_run_are_recorded(
    monkeypatch: pytest.MonkeyPatch, stated: str, threads: int | None
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", stated)
    assert describe()["threads"] == (threads or describe()["cores"])
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert describe()["threads"] == describe()["cores"]
