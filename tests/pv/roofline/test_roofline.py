from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pv.check import Metric
from pv.exits import Exit
from pv.roofline.claims import rate_of
from pv.roofline.hardware import TABLE, find_hardware, of_gpu
from pv.roofline.shapes import UnknownShapeError, shape_of
from pv.roofline.units import RATES, quantity, shown
from tests.pv.roofline.conftest import CONFIG, WEIGHTS, claim

if TYPE_CHECKING:
    from tests.pv.conftest import Project


def outcomes(project: Project, *words: str) -> list[tuple[str, float, float | None]]:
    ended = project.pv("roofline", "contracts", "--json", *words)
    return [(one["outcome"], one["value"], one["ceiling"]) for one in ended.json["claims"]]


def test_a_rule_above_the_ceiling_of_its_subject_is_unattainable(bench: Project) -> None:
    # 1,000,000 bytes less 1000 * 64 * 2 of embeddings, at 1 GB/s: 1146.8 tokens a second
    read = WEIGHTS - 1000 * 64 * 2
    for least, code, outcome in ((1146, Exit.ACCEPTED, "attainable"), (1147, Exit.REJECTED, "unattainable")):
        bench.contract(claim("200", expect=[f"median(decoded) >= {least}"]))
        ended = bench.pv("roofline", "--hardware", "bench.toml")
        assert ended.code == code, ended.said
        assert (
            f"contracts/small-v1.yaml:26:5: {outcome}: small-v1#FALSIFY-SPEED-001 at live level" in ended.out
        )
        assert outcomes(bench, "--hardware", "bench.toml") == [(outcome, least, 1e9 / read)]


def test_keys_and_values_lower_the_ceiling(bench: Project) -> None:
    bench.contract(claim("200"))
    (one,) = outcomes(bench, "--hardware", "bench.toml", "--context", "1000")
    # 2 * 2 layers * 2 heads * 16 values * 1000 positions * 2 bytes
    assert one[2] == pytest.approx(1e9 / (WEIGHTS - 128_000 + 256_000))
    words = ("--hardware", "bench.toml", "--context", "1000", "--kv-bits", "8")
    (told,) = bench.pv("roofline", "contracts", "--format", "json", *words).json["claims"]
    assert told["ceiling"] == pytest.approx(1e9 / (WEIGHTS - 128_000 + 128_000))


def test_a_record_above_the_ceiling_of_its_machine_is_an_error(bench: Project) -> None:
    bench.contract(claim("5000"))
    assert bench.pv("discharge", "FALSIFY-SPEED-001").code == Exit.ACCEPTED
    ended = bench.pv("roofline", "--hardware", "bench.toml")
    assert ended.code == Exit.REJECTED
    assert "impossible: small-v1#FALSIFY-SPEED-001 at live level measured decoded 5,000 tokens/s" in ended.out
    assert "the measurement is wrong, or it was of a cache" in ended.out
    assert ended.out.splitlines()[-1].endswith("1 attainable")
    bench.contract(claim("500"))
    assert bench.pv("discharge", "FALSIFY-SPEED-001").code == Exit.ACCEPTED
    assert {one[0] for one in outcomes(bench, "--hardware", "bench.toml")} == {"attainable", "possible"}
    # Of the machine that measured it, a GPU of the table says nothing.
    assert {one[0] for one in outcomes(bench, "--hardware", "h200")} == {"attainable", "not judged"}


def test_bytes_and_operations_a_second_have_the_machines_own_ceilings(bench: Project) -> None:
    for unit, least, outcome in (
        ("GB/s", 0.9, "attainable"), ("GB/s", 1.1, "unattainable"),
        ("MiB/s", 900, "attainable"), ("MiB/s", 1000, "unattainable"),
        ("GFLOP/s", 100, "attainable"), ("GFLOP/s", 101, "unattainable"), ("TFLOP/s", 1, "unattainable"),
    ):  # fmt: skip
        bench.contract(claim("200", unit=unit, metric="rate", expect=[f"max(rate) >= {least}"]))
        assert [one[0] for one in outcomes(bench, "--hardware", "bench.toml")] == [outcome]


@pytest.mark.parametrize(
    ("line", "demanded"),
    [
        ("min(decoded) >= 2000 and count(decoded) == 1", [2000]),
        ("2000 <= mean(decoded)", [2000]),
        ("all(decoded > 2000)", [2000]),
        ("1 < decoded < 2000", [1]),
        ("max(decoded) <= 2000", []),
        ("min(decoded) >= 2000 or min(decoded) >= 3", [3]),
        ("min(decoded) >= 2000 or count(decoded) == 1", []),
        ("min(decoded) / 2 >= 10 * 100", [2000]),
        ("not min(decoded) < 2000", [2000]),
        ("not min(decoded) >= 2000", []),
    ],
)
def test_what_a_rule_demands(bench: Project, line: str, demanded: list[float]) -> None:
    bench.contract(claim("200", expect=[line, "min(decoded) >= 0.5"]))
    assert [one[1] for one in outcomes(bench, "--hardware", "bench.toml")] == [*demanded, 0.5]


def test_what_cannot_be_judged_is_declined_with_the_reason(bench: Project) -> None:
    bench.contract(claim("200"))
    ended = bench.pv("roofline")
    assert ended.code == Exit.DECLINED
    assert "not judged" in ended.out
    assert "no machine is named; --hardware names one" in ended.out
    (bench.root / "model" / "config.json").write_text(json.dumps({**CONFIG, "num_experts": 8}))
    ended = bench.pv("roofline", "--hardware", "bench.toml")
    assert (ended.code, "is no dense model" in ended.out) == (Exit.DECLINED, True)
    (bench.root / "model" / "config.json").unlink()
    ended = bench.pv("roofline", "contracts", "--hardware", "bench.toml", "--params", "1e6", "--bits", "8")
    assert (ended.code, "as stated" in ended.out) == (Exit.ACCEPTED, True)


def test_a_rule_that_needs_a_gpu_is_held_against_the_best_that_meets_the_need(bench: Project) -> None:
    fast = TABLE["b200"].bandwidth / (WEIGHTS - 128_000)
    bench.contract(claim("200", needs={"gpu": ">=9.0"}, expect=["min(decoded) >= 1e11"]))
    (one,) = outcomes(bench)
    assert one[0] == "unattainable"
    # A model of a megabyte fits every cache: only arithmetic bounds it.
    assert one[2] is not None
    assert one[2] > fast
    bench.contract(claim("200", needs={"gpu": "==7.5"}))
    assert "it needs a GPU ==7.5, of which the table has none" in bench.pv("roofline").out


def test_training_and_prompts_are_bounded_by_arithmetic(bench: Project) -> None:
    parameters = (WEIGHTS - 128_000) / 2
    for metric, factor in (("train_rate", 6), ("prefill_rate", 2), ("decode_rate", 0)):
        bench.contract(claim("2", metric=metric, expect=[f"min({metric}) >= 1"]))
        (one,) = outcomes(bench, "--hardware", "bench.toml")
        wanted = 1e11 / (factor * parameters) if factor else 1e9 / (2 * parameters)
        assert one[2] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("rule", "factor"),
    [
        ("The fine-tuned model decodes quickly", 0),
        ("A pre-trained model is quick", 2),
        ("Fine-tuning is quick", 6),
    ],
)
def test_what_was_trained_does_not_train(bench: Project, rule: str, factor: int) -> None:
    parameters = (WEIGHTS - 128_000) / 2
    bench.contract(claim("2", metric="rate", rule=rule, expect=["min(rate) >= 1"]))
    (one,) = outcomes(bench, "--hardware", "bench.toml")
    assert one[2] == pytest.approx(1e11 / (factor * parameters) if factor else 1e9 / (2 * parameters))


def test_no_claim_of_speed_is_a_usage_error(project: Project) -> None:
    ended = project.pv("roofline")
    assert ended.code == Exit.USAGE
    assert "no claim of speed in 1 contract(s)" in ended.err


@pytest.mark.parametrize(
    "words",
    [
        ["--flops", "1"],
        ["--flops", "1", "--bytes", "1"],
        ["--flops", "1", "--bytes", "1", "--params", "1", "--hardware", "h200"],
        ["--params", "7e9"],
        ["--params", "7e9", "--hardware", "h900"],
        ["--params", "7e9", "--hardware", "none.toml"],
        ["--params", "nan", "--hardware", "h200"],
        ["--params", "-1", "--hardware", "h200"],
        ["--params", "7e9", "--hardware", "h200", "--layers", "3"],
        ["--params", "7e9", "--hardware", "h200", "--context", "3"],
        ["--params", "7e9", "--hardware", "h200", "--dtype", "bf17"],
        ["--bits", "4", "--hardware", "h200"],
        ["contracts", "--dtype", "bf16"],
        ["contracts", "--batch", "2"],
    ],
)
def test_words_that_cannot_be_meant_stop_it(project: Project, words: list[str]) -> None:
    ended = project.pv("roofline", *words)
    assert ended.code == Exit.USAGE
    assert ended.out == ""


def test_ceilings_of_a_model_and_of_a_kernel(project: Project) -> None:
    told = project.pv("roofline", "--params", "7.6e9", "--bits", "4.5", "--hardware", "h200", "--json").json
    assert told["decode"]["value"] == pytest.approx(4.8e12 / 4.275e9)
    assert told["source"].startswith("NVIDIA H200")
    words = ("--flops", "1e9", "--bytes", "1e9", "--hardware", "h200", "--dtype", "bf16")
    told = project.pv("roofline", *words, "--json").json
    assert told["attainable"]["value"] == 4.8e12
    assert told["bound by"] == "memory"
    assert "4.8 TFLOP/s" in project.pv("roofline", *words).out


BAD: list[tuple[str, Any]] = [
    ("bench.toml", 'bandwidth = "1 GB/s"\nsource = "s"\n'),
    ("bench.toml", 'bandwidth = "1 GB"\nsource = "s"\npeaks = {a = "1 TFLOP/s"}\n'),
    ("bench.toml", 'bandwidth = 1e9\nsource = "s"\npeaks = {a = "1 TFLOP/s"}\n'),
    ("bench.toml", 'bandwidth = "0 GB/s"\nsource = "s"\npeaks = {a = "1 TFLOP/s"}\n'),
    ("bench.toml", 'bandwidth = "1 GB/s"\nsource = "s"\npeaks = {a = "1 TFLOP/s"}\nspeed = 1\n'),
    ("bench.toml", 'name = "h200"\nbandwidth = "9 PB/s"\nsource = "s"\npeaks = {a = "1 TFLOP/s"}\n'),
    ("h200.toml", 'bandwidth = "9 TB/s"\nsource = "s"\npeaks = {a = "1 TFLOP/s"}\n'),
    ("bench.toml", "[["),
    ("bench.yaml", "- 1\n"),
    ("bench.yaml", "a: [\n"),
]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_file_that_describes_no_machine_is_refused(project: Project, name: str, text: str) -> None:
    (project.root / name).write_text(text)
    ended = project.pv("roofline", "--params", "1", "--hardware", name)
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    assert name in ended.err


def test_a_machine_of_ones_own_may_be_yaml(project: Project) -> None:
    text = "bandwidth: 2 GB/s\npeaks: {fp32: 1 TFLOP/s}\nsource: a copy\n"
    (project.root / "mine.yaml").write_text(text)
    told = project.pv("roofline", "--params", "1e9", "--bits", "16", "--hardware", "mine.yaml", "--json").json
    assert (told["hardware"], told["decode"]["value"]) == ("mine", 1.0)


def test_units() -> None:
    assert quantity("4.8 TB/s", "B/s") == 4.8e12
    assert quantity("50 MiB", "B") == 50 * 2**20
    assert RATES["GFLOP/s"] == ("FLOP/s", 1e9)
    assert rate_of(Metric("tokens_per_second", unit="1/s")) == ("tokens/s", 1.0)
    assert rate_of(Metric("steps_per_second", unit="1/s")) is None
    assert shown(4.8e12, "B/s") == "4.8 TB/s"
    assert shown(1234.5, "tokens/s") == "1,234 tokens/s"


def test_the_table_is_in_order() -> None:
    for name, machine in TABLE.items():
        assert find_hardware(name) is machine
        assert machine.source
        assert 1e11 < machine.bandwidth < 1e13
        assert all(1e13 < peak < 1e16 for peak in machine.peaks.values())
        assert machine.peak("bf16") <= machine.peak("no such type") == machine.peak()
        assert "dense" in machine.source
        assert [of_gpu(gpu) for gpu in machine.gpus] == [machine]


def test_caches_are_binary_megabytes_as_drivers_count_them() -> None:
    assert TABLE["a100-80gb"].cache == 41_943_040


def test_of_a_subject_that_is_built_or_elsewhere_the_shape_is_not_known(bench: Project) -> None:
    for name in ("nothing", "absent"):
        with pytest.raises(UnknownShapeError):
            shape_of(name, bench.config())
