from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pv.needs import gpu_requirement, memory_bytes, module_name, seconds, spell_modules


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8 GiB", 8 << 30),
        ("8GiB", 8 << 30),
        ("1.5 KiB", 1536),
        ("2 GB", 2_000_000_000),
        ("1 kB", 1000),
        ("7 B", 7),
    ],
)
def test_memory(text: str, expected: int) -> None:
    assert memory_bytes(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("10 min", 600.0), ("0.5 s", 0.5), ("2h", 7200.0)])
def test_time(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", "8", "GiB", "8 Gi", "-8 GiB", "0 GiB", "8  GiB", "1e9 B", "nan B", "8 GiB\n", "٨ B"]
)
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="one of the units B, KiB, MiB"):
        memory_bytes(text)
    with pytest.raises(ValueError, match="one of the units s, min, h"):
        seconds(text)


@settings(deadline=None)
@given(st.integers(1, 10**9 - 1), st.sampled_from(["B", "KiB", "MiB", "GiB", "TiB"]))
def test_memory_is_exact_for_whole_numbers(number: int, unit: str) -> None:
    power = ["B", "KiB", "MiB", "GiB", "TiB"].index(unit)
    assert memory_bytes(f"{number} {unit}") == number * 1024**power


@pytest.mark.parametrize("text", ["any", ">=8.9", "== 9.0", ">=12.0"])
def test_gpu(text: str) -> None:
    assert gpu_requirement(text) == text


@pytest.mark.parametrize("text", ["", "8.9", ">8.9", "yes", ">=8", ">=8.9 or so", "H200"])
def test_what_is_no_gpu_requirement(text: str) -> None:
    with pytest.raises(ValueError, match=r'write "any"'):
        gpu_requirement(text)


@pytest.mark.parametrize("text", ["llama_cpp", "json", "_private", "pkg2"])
def test_module(text: str) -> None:
    assert module_name(text) == text


@pytest.mark.parametrize(
    "text", ["", "llama-cpp-python", "2pac", "import", "__main__", "a b", "a.", ".a", "été", "a\n"]
)
def test_what_is_no_module(text: str) -> None:
    with pytest.raises(ValueError, match="no name that Python imports"):
        module_name(text)


def test_of_a_module_inside_another_the_package_is_asked_for() -> None:
    with pytest.raises(ValueError, match="name the package, torch"):
        module_name("torch.nn")


def test_modules_are_told_in_words() -> None:
    assert spell_modules(["a"]) == "the module a"
    assert spell_modules(["a", "b", "c"]) == "the modules a, b and c"
