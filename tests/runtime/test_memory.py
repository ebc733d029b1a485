from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pv_runtime import memory
from pv_runtime.errors import LoadError
from pv_runtime.memory import available_memory, require_memory


def test_what_is_available_is_between_nothing_and_what_is_built_in() -> None:
    total = next(
        int(line.split()[1]) * 1024
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemTotal:")
    )
    assert 0 < available_memory() <= total


def control_group(folder: Path, maximum: str, current: str) -> Path:
    (folder / "memory.max").write_text(maximum + "\n")
    (folder / "memory.current").write_text(current + "\n")
    return folder


def test_a_control_group_lowers_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = available_memory()
    monkeypatch.setattr(memory, "_CGROUP", control_group(tmp_path, "1000000", "400000"))
    assert available_memory() == 600_000
    control_group(tmp_path, "1000000", "1400000")
    assert available_memory() == 0
    control_group(tmp_path, "max", "1400000")
    assert available_memory() > before // 2


def test_what_does_not_fit_is_said_with_both_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CGROUP", control_group(tmp_path, str(3 << 29), "0"))
    require_memory(3 << 29, "its weights", "m.gguf")
    with pytest.raises(LoadError, match=r"m.gguf: needs 2.0 GiB for its weights, and 1.5 GiB are available"):
        require_memory(2 << 30, "its weights", "m.gguf")


def test_a_model_that_does_not_fit_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    """A 7B's header over a hole of 15 GB, in a process that is told of 8 GiB."""
    (tmp_path / "memory.max").write_text(str(8 << 30))
    (tmp_path / "memory.current").write_text("0")
    code = f"""
import pathlib, resource, sys
from pv_runtime import memory
from pv_runtime.errors import LoadError
from pv_runtime.presets import PRESETS
from pv_runtime.random_model import RandomModel
from pv_runtime.weights import load_weights
memory._CGROUP = pathlib.Path({str(tmp_path)!r})
load_weights(RandomModel(PRESETS["qwen2.5-7b"]), streamed=True)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_weights(RandomModel(PRESETS["qwen2.5-7b"]))
except LoadError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    message, remedy, grown = ended.stdout.splitlines()
    assert "needs 28." in message
    assert "8.0 GiB are available" in message
    assert "block by block" in remedy
    assert int(grown) < 64 << 10


def test_what_the_group_keeps_of_files_is_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CGROUP", control_group(tmp_path, "1000000", "950000"))
    (tmp_path / "memory.stat").write_text(
        "anon 50000\nfile 900000\ninactive_file 600000\nactive_file 200000\n"
    )
    assert available_memory() == 850_000


def test_a_limit_of_the_process_lowers_it() -> None:
    code = """
import resource
from pv_runtime.memory import available_memory
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (100 << 20), resource.RLIM_INFINITY))
assert 90 << 20 < available_memory() <= 100 << 20, available_memory()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_narrowest_of_the_groups_around_a_process_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "user" / "shell").mkdir(parents=True)
    control_group(tmp_path / "user", "1000000", "400000")
    control_group(tmp_path / "user" / "shell", "max", "100")
    (tmp_path / "own").write_text("1:name=systemd:/x\n0::/user/shell\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_OWN_GROUP", tmp_path / "own")
    assert available_memory() == 600_000
