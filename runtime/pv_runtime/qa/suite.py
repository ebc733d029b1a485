"""All gates, in the order of what they cost."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Iterator

from pv_runtime.errors import LoadError, ModelError
from pv_runtime.qa import golden, parity, speed, structure
from pv_runtime.qa.gate import DeclinedError, Finding, Outcome, Result, Settings
from pv_runtime.qa.subject import Subject

__all__ = ["GATES", "run_gates"]

GATES: dict[str, Callable[[Subject, Settings], Finding] | None] = {
    "capability_match": structure.capability_match,
    "tensor_contract": structure.tensor_contract,
    "metadata_plausibility": structure.metadata_plausibility,
    "classifier_head": structure.classifier_head,
    "golden_output": golden.golden_output,
    "throughput": speed.throughput,
    "ollama_parity": speed.ollama_parity,
    "gpu_speedup": speed.gpu_speedup,
    "format_parity": parity.format_parity,
    "ptx_parity": parity.ptx_parity,
    "gpu_state_isolation": parity.gpu_state_isolation,
    "performance_regression": None,
}
"""The gate of each name; the last one judges what those before it measured."""


def run_gates(subject: Subject, settings: Settings, only: Collection[str] | None = None) -> Iterator[Result]:
    """Yield the result of every gate; those that are not in `only`, where it is given, are declined.

    A broken model fails the gate that meets it, and the next gate is carried out all the same.
    """
    values: dict[str, float] = {}
    for name, gate in GATES.items():
        started = time.perf_counter()
        try:
            if only is not None and name not in only:
                raise DeclinedError("not asked for")
            found = (
                speed.performance_regression(values, settings) if gate is None else gate(subject, settings)
            )
            if found.value is not None:
                values[name] = found.value
            outcome = Outcome.PASSED if found.passed else Outcome.FAILED
            result = Result(name, outcome, found.message, found.value, found.threshold)
        except DeclinedError as error:
            result = Result(name, Outcome.DECLINED, str(error))
        except (LoadError, ModelError) as error:
            result = Result(name, Outcome.FAILED, str(error))
        yield dataclasses.replace(result, seconds=time.perf_counter() - started)
