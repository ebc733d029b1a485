"""Gates that look at the clock."""

from __future__ import annotations

import shutil

import torch

from pv_runtime.bench import measure
from pv_runtime.qa.gate import DeclinedError, Finding, Settings
from pv_runtime.qa.subject import Subject

__all__ = ["band", "gpu_speedup", "ollama_parity", "performance_regression", "regressed", "throughput"]

_PROMPT_TOKENS = 32
_RATES_VARY, _LEAST_BAND = 2.5, 0.25
_COMPARED = ("throughput", "gpu_speedup", "ollama_parity")


def throughput(subject: Subject, settings: Settings) -> Finding:
    """Ask for a median of decoded tokens a second.

    Raises
    ------
    DeclinedError
        Nothing was asked for.
    ParityError
        What is computed step by step is wrong: no speed is given of it.
    """
    if settings.least_rate is None:
        raise DeclinedError("nobody said how fast it must be: --assert-tps N")
    rate = _rate(subject, settings, "cpu")
    return Finding(
        rate >= settings.least_rate,
        f"{rate:.1f} decoded tokens a second, median of {settings.iterations}",
        rate,
        settings.least_rate,
    )


def gpu_speedup(subject: Subject, settings: Settings) -> Finding:
    """Ask a GPU to decode so many times as fast as the processor.

    Raises
    ------
    DeclinedError
        There is no GPU.
    """
    if not torch.cuda.is_available():
        raise DeclinedError("there is no GPU here that torch can use")
    ours = _rate(subject, settings, "cuda")
    times = ours / _rate(subject, settings, "cpu")
    return Finding(
        times >= settings.least_gpu_speedup,
        f"{ours:.1f} decoded tokens a second on the GPU, {times:.2f} times the processor's",
        times,
        settings.least_gpu_speedup,
    )


def ollama_parity(_: Subject, __: Settings) -> Finding:
    """Hold the speed against Ollama's with the same model.

    Raises
    ------
    DeclinedError
        Always: Ollama is a server with models of its own, and is not asked here.
    """
    missing = [] if shutil.which("ollama") else ["Ollama is not installed"]
    raise DeclinedError("; ".join([*missing, "apr does not ask an Ollama server"]))


def performance_regression(values: dict[str, float], settings: Settings) -> Finding:
    """No speed fell below that of an earlier report by more than its band.

    Parameters
    ----------
    values
        What the gates before this one measured, by name.
    settings
        With the earlier values.

    Raises
    ------
    DeclinedError
        There is no earlier report, or no speed is in both.
    """
    if settings.previous is None:
        raise DeclinedError("there is no earlier report: --previous-report FILE")
    both = [name for name in _COMPARED if name in values and name in settings.previous]
    if not both:
        raise DeclinedError("no speed is in this report and in the earlier one")
    falls = {name: 1 - values[name] / settings.previous[name] for name in both}
    said = ", ".join(f"{name} {settings.previous[name]:.1f} to {values[name]:.1f}" for name in both)
    worst = max(both, key=lambda name: falls[name] - band(name, settings.regression))
    return Finding(
        not any(regressed(name, settings.previous[name], values[name], settings.regression) for name in both),
        said,
        falls[worst],
        band(worst, settings.regression),
    )


def regressed(name: str, before: float, now: float, regression: float) -> bool:
    """Whether `now` is below `before` by more than the band, or is no number."""
    return not now >= before * (1 - band(name, regression))


def band(name: str, regression: float) -> float:
    """Return the share by which a value may fall: ratios by `regression`, rates, which vary, by more."""
    return max(_RATES_VARY * regression, _LEAST_BAND) if name == "throughput" else regression


def _rate(subject: Subject, settings: Settings, device: str) -> float:
    """Measure on `device`, once."""
    if device not in subject.rates:
        decoder = subject.decoder if device == "cpu" else subject.decoder_on(device)
        speed = measure(
            decoder,
            prompt_tokens=min(_PROMPT_TOKENS, decoder.architecture.max_positions - settings.new_tokens),
            new_tokens=settings.new_tokens,
            iterations=settings.iterations,
        )
        subject.rates[device] = speed.decode_rate
    return subject.rates[device]
