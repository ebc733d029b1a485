"""What machines can do at most: bandwidth of their memory, peak of their arithmetic, size of their cache.

Peaks are dense ones: data sheets also give numbers for matrices of which every other value is zero, which are
twice as high and which no dense model sees.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pv.errors import ConfigError, DocumentError, SelectionError
from pv.roofline.units import quantity

__all__ = ["TABLE", "Hardware", "find_hardware", "load_hardware", "of_gpu"]


@dataclasses.dataclass(frozen=True)
class Hardware:
    """One machine. `bandwidth` is in B/s, `peaks` in FLOP/s by type, `cache` (last level) in bytes."""

    name: str
    bandwidth: float
    peaks: Mapping[str, float]
    cache: float
    capability: str | None
    """CUDA compute capability, ``9.0``; None where it is no such GPU."""
    gpus: tuple[str, ...]
    """Names under which its driver knows it."""
    source: str

    @property
    def said(self) -> str:
        """Its name; of a machine of one's own, also where its numbers are from: nobody looked at them."""
        return self.name if TABLE.get(self.name) is self else f"{self.name} (one's own: {self.source})"

    def peak(self, dtype: str | None = None) -> float:
        """Return the peak of `dtype`; without one, or of one that is not listed, the highest there is."""
        return self.peaks.get(dtype or "", max(self.peaks.values()))


def _nvidia(
    name: str, bandwidth: float, capability: str, cache: float, gpus: str, source: str, **tera: float
) -> Hardware:
    peaks = {dtype: value * 1e12 for dtype, value in tera.items()}
    return Hardware(
        name, bandwidth * 1e9, peaks, cache * (1 << 20), capability, tuple(gpus.split(", ")), source
    )


TABLE: Mapping[str, Hardware] = {
    one.name: one
    for one in (
        _nvidia(
            "a100-80gb", 2039, "8.0", 40, "NVIDIA A100-SXM4-80GB",
            "NVIDIA A100 Tensor Core GPU data sheet: A100 80GB SXM, its dense numbers;"
            " cache: NVIDIA A100 architecture white paper",
            fp32=19.5, tf32=156, fp16=312, bf16=312, int8=624,
        ),
        _nvidia(
            "h100-sxm", 3350, "9.0", 50, "NVIDIA H100 80GB HBM3",
            "NVIDIA H100 Tensor Core GPU data sheet: H100 SXM, where numbers are with sparsity;"
            " dense ones and cache: NVIDIA H100 architecture white paper",
            fp32=67, tf32=494.7, fp16=989.4, bf16=989.4, fp8=1978.9, int8=1978.9,
        ),
        _nvidia(
            "h200", 4800, "9.0", 60, "NVIDIA H200",
            "NVIDIA H200 Tensor Core GPU data sheet: H200 SXM, where numbers are with sparsity, and those"
            " of the H100; dense as there; cache: of the whole GH100, as no document says how much is on",
            fp32=67, tf32=494.7, fp16=989.4, bf16=989.4, fp8=1978.9, int8=1978.9,
        ),
        _nvidia(
            "b200", 8000, "10.0", 126.5, "NVIDIA B200",
            "NVIDIA Blackwell architecture technical brief: HGX B200, dense, where the data sheet of the"
            " HGX B200 agrees (halves of its numbers with sparsity); bandwidth: the brief's 8 TB/s, the data"
            " sheet has 7.7; fp32 and tf32 are left out, for they differ; cache: as its driver says",
            fp16=2250, bf16=2250, fp8=4500, int8=4500, fp4=9000,
        ),
        _nvidia(
            "rtx-4090", 1008, "8.9", 72, "NVIDIA GeForce RTX 4090",
            "NVIDIA Ada GPU architecture white paper: GeForce RTX 4090, dense; fp16 and fp8 accumulated in"
            " fp16, bf16 in fp32",
            fp32=82.6, fp16=330.3, bf16=165.2, fp8=660.6, int8=660.6,
        ),
        _nvidia(
            "rtx-3090", 936, "8.6", 6, "NVIDIA GeForce RTX 3090",
            "NVIDIA Ampere GA102 GPU architecture white paper v2.0, appendix A: GeForce RTX 3090, dense; fp16"
            " accumulated in fp16; int8: twice fp16, rounded up",
            fp32=35.6, fp16=142, int8=285,
        ),
    )
}  # fmt: skip
"""Name → machine. Caches are the L2, in binary megabytes.

Each figure was found in public pages that quote the document; what was not, or where they disagree, is left
out. A ceiling must be above all that happens: where documents of the maker differ, the higher figure stands,
and a type that is not listed has the highest peak of the machine.
"""

_KEYS = {"name", "bandwidth", "peaks", "cache", "capability", "gpus", "source"}
_NEEDED = {"bandwidth", "peaks", "source"}
_MOST_BYTES = 1 << 16


def find_hardware(word: str) -> Hardware:
    """Return the machine called `word`, or that the file `word` (TOML or YAML) describes.

    Raises
    ------
    SelectionError
        There is no such machine and no such file.
    ConfigError
        The file does not describe one.
    """
    if word in TABLE:
        return TABLE[word]
    if word.endswith((".toml", ".yaml", ".yml")):
        return load_hardware(Path(word))
    raise SelectionError(
        f"no hardware {word!r}", remedy=f"one of {', '.join(TABLE)}; or a file that ends in .toml or .yaml"
    )


def of_gpu(name: str) -> Hardware | None:
    """Return the machine whose driver calls a GPU `name`; None where the table has none."""
    return next((one for one in TABLE.values() if name in one.gpus), None)


def load_hardware(path: Path) -> Hardware:
    """Read a machine of one's own.

    ``bandwidth = "100 GB/s"``, ``peaks = {fp32 = "2 TFLOP/s"}`` and ``source``, where the numbers are from,
    are needed; ``name``, ``cache`` (``"32 MB"``), ``capability`` and ``gpus`` may be there.

    Raises
    ------
    SelectionError
        There is no such file.
    ConfigError
        It is neither TOML nor YAML, lacks something, or has a number without a unit.
    """
    try:
        stated = _read(path)
        if not isinstance(stated, dict):
            raise ValueError("it is no table of keys")  # noqa: TRY004  one type of error out of here
        if unknown := sorted(set(stated) - _KEYS):
            raise ValueError(f"it has a key {unknown[0]!r}, which nothing reads")
        if missing := sorted(_NEEDED - set(stated)):
            raise ValueError(f"it lacks {missing[0]}")
        return _hardware(path.stem, stated)
    except FileNotFoundError as error:
        raise SelectionError(f"no file {path}", remedy=f"name one, or one of {', '.join(TABLE)}") from error
    except (OSError, ValueError, DocumentError) as error:
        why = error if isinstance(error, ValueError) else "it cannot be read"
        raise ConfigError(
            f"{path} describes no hardware: {why}",
            remedy="docs/how-to/check-a-speed-against-the-roofline.md has one",
        ) from error


def _read(path: Path) -> Any:
    if path.suffix != ".toml":
        from pv.document import load

        if not path.exists():
            raise FileNotFoundError(path)
        return load(path).value
    from pv.regular_file import read_regular_file
    from pv.toml_text import parse_toml

    data = read_regular_file(path)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"it is larger than {_MOST_BYTES:,} bytes")
    return parse_toml(data)


def _hardware(stem: str, stated: Mapping[str, Any]) -> Hardware:
    peaks = stated["peaks"]
    if not isinstance(peaks, dict) or not peaks:
        raise ValueError("peaks is no table of types")
    gpus = stated.get("gpus", [])
    if not isinstance(gpus, list):
        raise ValueError("gpus is no list of names")  # noqa: TRY004
    capability = stated.get("capability")
    if capability is not None and not re.fullmatch(r"[0-9]{1,2}\.[0-9]", _text(capability, "capability")):
        raise ValueError(f"capability is {capability!r}, not such as '9.0'")
    name = _text(stated.get("name", stem), "name")
    if name in TABLE:
        raise ValueError(f"it is called {name}, which is a machine of the table; give it another name")
    return Hardware(
        name,
        quantity(_text(stated["bandwidth"], "bandwidth"), "B/s"),
        {
            _text(key, "peaks"): quantity(_text(value, f"peaks.{key}"), "FLOP/s")
            for key, value in peaks.items()
        },
        quantity(_text(stated["cache"], "cache"), "B") if "cache" in stated else 0.0,
        capability,
        tuple(_text(one, "gpus") for one in gpus),
        _text(stated["source"], "source"),
    )


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is {value!r}, not text")
    return value
