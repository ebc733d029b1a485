"""Gates that read the file and compute nothing: parts, values, numbers of the metadata."""

from __future__ import annotations

from collections.abc import Iterator

from pv_runtime.architecture import check_tensors
from pv_runtime.canonical import canonical
from pv_runtime.config import config_of, require_one_head
from pv_runtime.qa.gate import DeclinedError, Finding, Settings
from pv_runtime.qa.subject import Subject
from pv_runtime.summary import is_decoded
from pv_runtime.weight_statistics import WeightStatistics, weight_statistics

__all__ = ["capability_match", "classifier_head", "metadata_plausibility", "tensor_contract"]

_ROPE_THETA = {"qwen2": (1e5, 1e9), "llama": (1e3, 1e7)}
"""Bases of the rotary embedding that published models of a family have."""
_POSITIONS = (128, 1_048_576)
_MOST_ZEROS = 0.5


def capability_match(subject: Subject, _: Settings) -> Finding:
    """Look whether everything can be computed here: family, parts, and the dtype of each tensor.

    Raises
    ------
    LoadError
        The family, or a part, is not known here.
    """
    family = subject.architecture.family
    infos = [subject.checkpoint.info(name) for name in subject.checkpoint.names()]
    unknown = sorted({info.dtype for info in infos if not is_decoded(info.dtype)})
    if unknown:
        return Finding(False, f"tensors of {', '.join(unknown)} are not decoded here", len(unknown), 0)
    dtypes = ", ".join(sorted({info.dtype for info in infos}))
    return Finding(True, f"{family}, tensors of {dtypes}", 0, 0)


def tensor_contract(subject: Subject, _: Settings) -> Finding:
    """Look at every tensor: it is there, of its shape, finite, and no matrix or norm is without content.

    Raises
    ------
    LoadError
        A tensor is missing, of another shape, or none that the model computes with.
    """
    config = config_of(subject.checkpoint)
    view = canonical(subject.checkpoint, config)
    check_tensors(subject.architecture, view)
    require_one_head(view, config)
    problems = [
        f"{name} {problem}"
        for name in view.names()
        for problem in _problems(name, weight_statistics(view, name), view.info(name).elements)
    ]
    count = len(view.names())
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        return Finding(False, f"{'; '.join(problems[:3])}{more}", len(problems), 0)
    return Finding(True, f"{count} tensors of the shapes that the config asks for, all values finite", 0, 0)


def _problems(name: str, values: WeightStatistics, elements: int) -> Iterator[str]:
    if values.nan or values.infinite:
        yield f"has {values.nan} NaN and {values.infinite} infinite values"
    if name.endswith(".bias"):
        return  # of zeros or all alike is how some are trained
    if values.zeros == elements:
        yield "is all zeros"
    elif values.zeros > _MOST_ZEROS * elements:
        yield f"is {values.zeros / elements:.0%} zeros"
    if not name.endswith("norm.weight") and values.std == 0 and values.zeros != elements:
        yield "has one value only"


def metadata_plausibility(subject: Subject, _: Settings) -> Finding:
    """Hold the numbers of the metadata against those of published models of the family.

    A rotary base of 10,000 in a qwen2, llama's own default, is how a lost key shows.
    """
    a = subject.architecture
    low, high = _ROPE_THETA[a.family]
    holds = {
        f"rope_theta {a.rope_theta:g} is not within {low:g} to {high:g}": low <= a.rope_theta <= high,
        f"rms_norm_eps {a.rms_norm_eps:g} is not above 0 and at most 0.01": 0 < a.rms_norm_eps <= 0.01,
        f"{a.max_positions} positions are not within {_POSITIONS[0]} to {_POSITIONS[1]}": (
            _POSITIONS[0] <= a.max_positions <= _POSITIONS[1]
        ),
    }
    wrong = [said for said, is_so in holds.items() if not is_so]
    if wrong:
        return Finding(False, f"for a {a.family}, {'; '.join(wrong)}", len(wrong), 0)
    return Finding(
        True,
        f"rope_theta {a.rope_theta:g}, rms_norm_eps {a.rms_norm_eps:g}, {a.max_positions} positions",
        0,
        0,
    )


def classifier_head(subject: Subject, _: Settings) -> Finding:
    """Hold a classifier's head against its labels; a language model has none.

    Raises
    ------
    DeclinedError
        Always: only language models are known here, and a head that nobody computes is refused by
        tensor_contract.
    """
    raise DeclinedError(f"a {subject.architecture.family} language model has no classifier head")
