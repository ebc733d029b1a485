"""What the Rust tool says of contracts of one kind: benchmarks, improvements, and stories of competitors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.compatibility.shapes import need, optional

KINDS = {
    *("kernel", "registry", "model-family", "model-family-variant", "tokenizer", "training-loop"),
    *("pretraining-corpus", "training-precondition-gate", "corpus-assembly", "pattern", "schema"),
    *("beat-benchmark", "kaizen", "competitive-parity"),
}
INTAKE = {"missing", "partial", "supported", "unclear"}
COMPETITORS = {
    *("apr-qa-playbook", "ecosystem", "hf-kernels-community", "huggingface", "llama_cpp", "none", "ollama"),
    *("openclaw", "openclip", "pulp-free-chat", "pytorch", "vllm", "burn", "linfa", "autogluon"),
    *("unsloth", "qwen", "jena"),
}
COSTS = ("alloc", "bytes", "churn", "launch", "overhead", "sync", "wasted", "_us", "_ms")
UNITS = {"", "%", "+", "x", "B", "KB", "MB", "GB", "KiB", "MiB", "GiB", "ms", "us", "s"}
BEAT_TEXTS = ("incumbent", "metric", "direction", "ci_gate_name")


def kind_shape(document: dict[str, Any], metadata: dict[str, Any], kind: str) -> None:
    """Stop where the typed reader does."""
    optional(metadata.get("demand_score"), int)
    optional(metadata.get("competitor"), str)
    need(metadata.get("intake_status") in INTAKE | {None})
    need(metadata.get("enforcement_level") in {"basic", "standard", "strict", "proven", None})
    beat = document.get("beat")
    optional(beat, dict)
    for key in BEAT_TEXTS:
        need(beat is None or isinstance(beat.get(key, ""), str))
    optional((beat or {}).get("beat_threshold"), (int, float))
    optional((beat or {}).get("approved_compute"), str)
    need(isinstance(document.get("stories", []), list))
    for story in document.get("stories", []):
        optional(story.get("demand_score"), int)
        optional(story.get("competitor"), str)
        need(story.get("status") in INTAKE | {None})
    if kind == "kaizen":
        for key in ("contract", "title", "parent", "status"):
            optional(document.get(key), str)


def kind_violations(
    document: dict[str, Any],
    metadata: dict[str, Any],
    kind: str,
    obligations: list[Any],
    falsifiers: list[Any],
) -> Iterator[str]:
    """Yield the code of every violation."""
    if kind == "beat-benchmark":
        yield from beat_violations(document.get("beat"))
    yield from story_violations(document, metadata)
    if kind == "kaizen":
        yield from kaizen_violations(document, claims=bool(obligations or falsifiers))


def beat_violations(beat: dict[str, Any] | None) -> Iterator[str]:
    if beat is None:
        yield "BEAT-001"
        return
    incumbent = beat.get("incumbent", "").lower()
    if not any(name in incumbent for name in ("scikit-learn", "pytorch", "unsloth", "ollama", "llama.cpp")):
        yield "BEAT-002"
    if not beat.get("metric", "").strip():
        yield "BEAT-003"
    if beat.get("direction", "").strip() not in {"higher_is_better", "lower_is_better"}:
        yield "BEAT-004"
    if beat.get("beat_threshold") is None:
        yield "BEAT-005"
    if not beat.get("ci_gate_name", "").strip():
        yield "BEAT-006"
    if (beat.get("approved_compute") or "").strip().upper() not in {"CPU", "GPU"}:
        yield "BEAT-007"


def story_violations(document: dict[str, Any], metadata: dict[str, Any]) -> Iterator[str]:
    for row, required in ((metadata, False), *((story, True) for story in document.get("stories", []))):
        score, competitor = row.get("demand_score"), row.get("competitor")
        if score not in range(1, 6) and (required or score is not None):
            yield "CRUX-001"
        if (required or competitor is not None) and (competitor or "").strip() not in COMPETITORS:
            yield "CRUX-002"


def kaizen_violations(document: dict[str, Any], *, claims: bool) -> Iterator[str]:
    if not document.get("contract"):
        yield "KAIZEN-001"
    if (document.get("status") or "").strip() not in {
        *("draft", "implemented", "implementing", "pending", "planned")
    }:
        yield "KAIZEN-002"
    baseline, target = document.get("baseline"), document.get("target")
    sides: Any = None
    if isinstance(baseline, dict):
        inner = (baseline.get("before"), baseline.get("after"))
        if all(isinstance(side, dict) for side in inner):
            sides = inner
        elif isinstance(target, dict):
            sides = (baseline, target)
    if sides is None and document.get("invariants") in (None, [], {}) and not claims:
        yield "KAIZEN-003"
    if target is not None and not (
        isinstance(target, dict) and isinstance(baseline, dict) and set(baseline) & set(target)
    ):
        yield "KAIZEN-004"
    if sides is None:
        return
    moves = {
        name: (number(sides[0][name]), number(sides[1][name]))
        for name in sides[0]
        if name in sides[1] and None not in (number(sides[0][name]), number(sides[1][name]))
    }
    if all(before == after for before, after in moves.values()):
        yield "KAIZEN-005"
    costs = [pair for name, pair in moves.items() if any(part in name.lower() for part in COSTS)]
    if any(after > before for before, after in costs) and not any(after < before for before, after in costs):
        yield "KAIZEN-006"


def number(value: Any) -> Any:
    """Return the number that a value, or a text with a prefix and a unit, is; None for others."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if not isinstance(value, str):
        return float(value)
    text = value.strip()
    for prefix in ("<=", ">=", "<", ">", "~"):
        if text.startswith(prefix):
            text = text.removeprefix(prefix).lstrip()
            break
    end = next((at for at, letter in enumerate(text) if letter not in "0123456789.-_"), len(text))
    if text[end:].strip() not in UNITS:
        return None
    try:
        return float(text[:end].replace("_", ""))
    except ValueError:
        return None
