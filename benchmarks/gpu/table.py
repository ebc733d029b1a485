"""What evidence of speed says, as rows of a table with fixed columns."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from benchmarks.gpu.falsifiers import Ended

__all__ = ["PEERS", "Row", "compiled_ratios", "lined_up", "rows_of", "table"]

PEERS = ("torch", "compiled", "sdpa", "cublas", "liger")
_TARGET = re.compile(r"min\(fraction_of_floor\) >= ([\d.]+)")


@dataclasses.dataclass(frozen=True)
class Row:
    """One kernel on one shape. Times in seconds; ratios are a peer's time over ours."""

    claim: str
    kernel: str
    case: str
    seconds: float
    moved_bytes: int
    fraction_of_floor: float
    target: float | None
    ratios: dict[str, float]
    outcome: str
    sm_mhz: int | None
    throttle_reasons: str
    correct: bool

    @property
    def bandwidth(self) -> float:
        """Bytes a second."""
        return self.moved_bytes / self.seconds


def rows_of(ends: Iterable[Ended]) -> Iterator[Row]:
    """Yield a row for each shape that was timed, with its figures from the evidence of its falsifier."""
    for end in ends:
        if "fraction_of_floor" not in end.measurements or "seconds" not in end.measurements:
            continue
        series = {name: _by_label(series) for name, series in end.measurements.items()}
        target = next((float(found[1]) for line in end.lines if (found := _TARGET.search(line))), None)
        for case, seconds in series["seconds"].items():
            yield Row(
                claim=end.address.partition("#")[2].removeprefix("FALSIFY-"),
                kernel=_kernel(end),
                case=case,
                seconds=seconds,
                moved_bytes=series["moved_bytes"][case],
                fraction_of_floor=series["fraction_of_floor"][case],
                target=target,
                ratios={
                    peer: series[f"ratio_to_{peer}"][case]
                    for peer in PEERS
                    if case in series.get(f"ratio_to_{peer}", {})
                },
                outcome=end.outcome,
                sm_mhz=series.get("sm_clock", {}).get(case),
                throttle_reasons=series.get("throttle_reasons", {}).get(case, "not told"),
                correct=bool(series.get("correct", {}).get(case, 1)),
            )


def _kernel(end: Ended) -> str:
    """Return the name of what was timed, such as ``rms_norm`` of ``package.module:RMS_NORM_SPEED``."""
    reference = str(end.arguments.get("kernel", ""))
    return reference.partition(":")[2].removesuffix("_SPEED").lower() or end.rule


def compiled_ratios(ends: Iterable[Ended]) -> dict[str, float]:
    """Return, by kernel and shape, what torch.compile takes over ours, where that was measured apart."""
    found: dict[str, float] = {}
    for end in ends:
        if "fraction_of_floor" not in end.measurements and "ratio_to_compiled" in end.measurements:
            found |= _by_label(end.measurements["ratio_to_compiled"])
    return found


def _by_label(series: Any) -> dict[str, Any]:
    values = series["values"]
    return dict(zip(series.get("labels") or map(str, range(len(values))), values, strict=True))


def table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of the table."""
    peers = [f"{peer} x" for peer in PEERS]
    head = ["claim", "kernel", "shape", "us", "MB", "GB/s", "of floor", "target", *peers, "MHz", "verdict"]
    lines = [
        [
            row.claim,
            row.kernel,
            row.case,
            f"{row.seconds * 1e6:.1f}",
            f"{row.moved_bytes / 1e6:.1f}",
            f"{row.bandwidth / 1e9:.0f}",
            f"{row.fraction_of_floor:.3f}",
            "-" if row.target is None else f"{row.target:.2f}",
            *(f"{row.ratios[peer]:.2f}" if peer in row.ratios else "-" for peer in PEERS),
            "-" if row.sm_mhz is None else str(row.sm_mhz),
            _verdict(row),
        ]
        for row in rows
    ]
    return lined_up([head, *lines], left=3)


def _verdict(row: Row) -> str:
    held = "" if row.throttle_reasons in {"none", "not told"} else f" ({row.throttle_reasons})"
    return f"{row.outcome}{'' if row.correct else ', WRONG'}{held}"


def lined_up(cells: Sequence[Sequence[str]], left: int) -> list[str]:
    """Return `cells` in columns: the first `left` and the last begin together, the others end together."""
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    last = len(widths) - 1
    padded = [
        "  ".join(
            cell.ljust(width) if column < left or column == last else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return [padded[0], "  ".join("-" * width for width in widths), *padded[1:]]
