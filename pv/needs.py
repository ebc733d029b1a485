"""What a run needs, and the quantities in which a contract says so."""

from __future__ import annotations

import dataclasses
import keyword
import re
from collections.abc import Sequence

__all__ = [
    "Needs",
    "gpu_requirement",
    "memory_bytes",
    "module_name",
    "seconds",
    "spell_bytes",
    "spell_duration",
    "spell_modules",
    "spell_seconds",
]

_BYTES = {"B": 1} | {f"{prefix}iB": 1 << 10 * power for power, prefix in enumerate("KMGT", 1)}
_BYTES |= {f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", 1)}
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_QUANTITY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([A-Za-z]+)", re.ASCII)
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_GPU = re.compile(r"any|(?:>=|==) ?[0-9]{1,2}\.[0-9]", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Needs:
    """Limits of a run: memory in bytes, time in seconds, the GPU as compute capability, and modules.

    `gpu` is ``"any"``, ``">=8.9"`` or ``"==9.0"``; None where none is needed. `modules` are the top-level
    names of what must be installed. `network` is whether it may reach other hosts.
    """

    memory_bytes: int | None = None
    timeout_seconds: float | None = None
    gpu: str | None = None
    modules: tuple[str, ...] = ()
    network: bool = False


def gpu_requirement(text: str) -> str:
    """Return `text`, a GPU requirement.

    Raises
    ------
    ValueError
        It has none of the three forms.
    """
    if not _GPU.fullmatch(text):
        raise ValueError(f'{text!r} is no GPU requirement: write "any", ">=8.9" or "==9.0"')
    return text


def module_name(text: str) -> str:
    """Return `text`, the name by which Python imports a module.

    Raises
    ------
    ValueError
        It is none, or that of a module inside another.
    """
    package, *inside = text.split(".")
    if inside and all(map(_is_name, (package, *inside))):
        raise ValueError(f"{text!r} is inside a package: name the package, {package}")
    if not _is_name(text):
        raise ValueError(f"{text!r} is no name that Python imports (as in llama_cpp, not llama-cpp-python)")
    return text


def spell_modules(names: Sequence[str]) -> str:
    """Return ``the module a``, or ``the modules a and b``."""
    *most, last = names
    return f"the modules {', '.join(most)} and {last}" if most else f"the module {last}"


def memory_bytes(text: str) -> int:
    """Return the bytes that `text` names, such as ``8 GiB``.

    Raises
    ------
    ValueError
        It is not a positive number with a unit of ours.
    """
    return int(_quantity(text, {name: float(size) for name, size in _BYTES.items()}))


def seconds(text: str) -> float:
    """Return the seconds that `text` names, such as ``10 min``.

    Raises
    ------
    ValueError
        It is not a positive number with a unit of ours.
    """
    return _quantity(text, _SECONDS)


def spell_bytes(count: int) -> str:
    """Return `count` bytes in the largest binary unit that leaves no remainder: ``8 GiB``."""
    power = next(power for power in (4, 3, 2, 1, 0) if count % (1 << 10 * power) == 0)
    unit = f"{' KMGT'[power].strip()}iB" if power else "B"
    return f"{count >> 10 * power} {unit}"


def spell_seconds(count: float) -> str:
    """Return `count` seconds in the largest unit that leaves no remainder: ``10 min``."""
    for unit in ("h", "min"):
        if count % _SECONDS[unit] == 0:
            return f"{count / _SECONDS[unit]:.0f} {unit}"
    return f"{count:g} s" if float(f"{count:g}") == count else f"{count!r} s"


def spell_duration(count: float) -> str:
    """Return `count` seconds for a person who waits: ``8 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(count)
    if whole < 60:
        return f"{whole} s"
    minutes, left = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {left} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _is_name(text: str) -> bool:
    return bool(_NAME.fullmatch(text)) and not keyword.iskeyword(text) and text != "__main__"


def _quantity(text: str, units: dict[str, float]) -> float:
    match = _QUANTITY.fullmatch(text)
    if match and match[2] in units and float(match[1]) > 0:
        return float(match[1]) * units[match[2]]
    raise ValueError(f"{text!r} is no positive number with one of the units {', '.join(units)}")
