"""Asking nvidia-smi where NVML is not: a program of that name that says what the real one prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from pv_kernels.hardware import Monitor
from pv_kernels.nvml import Clocks


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file whose text an ``nvidia-smi`` on the path prints."""
    answer = tmp_path / "answer"
    program = tmp_path / "nvidia-smi"
    program.write_text(f'#!/bin/sh\ncase "$*" in *--id=GPU-7*) cat {answer};; *) exit 6;; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return answer


def test_clocks_are_read_as_it_prints_them(said: Path) -> None:
    said.write_text("1980, 2619, 1980, 41, 412.33, 0x0000000000000024\n")
    clocks = Monitor("GPU-7", None).clocks()
    assert clocks == Clocks(1980, 2619, 1980, 41, 412.33, ("sw_power_cap", "sw_thermal_slowdown"))


def test_fields_that_it_does_not_know_are_not_told(said: Path) -> None:
    said.write_text("1980, [N/A], 1980, [Not Supported], [N/A], [N/A]\n")
    assert Monitor("GPU-7", None).clocks() == Clocks(1980, None, 1980, None, None, None)


def test_where_nothing_answers_nothing_is_told(said: Path) -> None:
    said.write_text("580.65.06\n")
    assert Monitor("GPU-7", None).driver() == "580.65.06"
    assert Monitor("GPU-8", None).driver() == "unknown"
    assert Monitor("GPU-8", None).clocks() == Clocks()
