from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pv_runtime import cli
from pv_runtime.export import export
from pv_runtime.formats import Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values

MODELS = Path(__file__).resolve().parents[3] / "models"
FOLDER = MODELS / "tiny-qwen2"
PROMPT = "def fib(n):\n"


def run(*words: str) -> int:
    return cli.main(["run", *words, "--threads", "1"])


def reported(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run(*words, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refused(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> str:
    assert run(*words) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(("error: ", "usage: "))
    assert "Traceback" not in said.err
    return said.err


def test_text_goes_to_stdout_and_what_it_took_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    # First, since the first run on a machine may say besides that something is compiled.
    report = reported(capsys, str(FOLDER), PROMPT, "--max-tokens", "12")
    assert run(str(FOLDER), PROMPT, "--max-tokens", "12") == 0
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.err.splitlines()] == ["load", "prefill", "decode", "ended"]
    assert "decode   11 tokens" in said.err
    assert said.out == report["text"] + "\n"
    assert (report["stop_reason"], len(report["tokens"])) == ("limit", 12)
    assert report["timings"]["decode_tokens"] == 11


@pytest.mark.parametrize("form", ["gguf", "apr"])
def test_every_container_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    output = tmp_path / f"model.{form}"
    export(open_checkpoint(FOLDER), str(output), form, folder=FOLDER)
    ours = [reported(capsys, str(path), PROMPT, "--chat", "--system", "Be brief.", "--max-tokens", "8")
            for path in (FOLDER, output)]  # fmt: skip
    for key in ("prompt", "prompt_tokens", "tokens", "text", "architecture"):
        assert ours[0][key] == ours[1][key]
    assert ours[0]["prompt"].startswith("<|im_start|>system\nBe brief.<|im_end|>\n")


def test_the_prompt_comes_from_a_file_or_standard_input_or_as_ids(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prompt").write_text(PROMPT)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(PROMPT.encode())))
    ways = [[PROMPT], ["--prompt-file", str(tmp_path / "prompt")], []]
    reports = [reported(capsys, str(FOLDER), "--max-tokens", "4", *way) for way in ways]
    ids = " ".join(map(str, reports[0]["prompt_tokens"]))
    reports.append(reported(capsys, str(FOLDER), "--max-tokens", "4", "--token-ids", ids))
    assert len({tuple(report["tokens"]) for report in reports}) == 1
    assert reports[-1]["prompt"] is None


def test_block_by_block_and_other_dtypes(capsys: pytest.CaptureFixture[str]) -> None:
    whole = reported(capsys, str(FOLDER), PROMPT, "--max-tokens", "3")
    layers = reported(capsys, str(FOLDER), PROMPT, "--max-tokens", "3", "--one-layer-at-a-time")
    assert layers["tokens"] == whole["tokens"]
    for dtype in ("bfloat16", "float16"):
        narrow = reported(capsys, str(FOLDER), PROMPT, "--max-tokens", "3", "--dtype", dtype)
        assert narrow["dtype"] == dtype


def test_draws_are_the_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    words = (str(FOLDER), PROMPT, "--max-tokens", "8", "--temperature", "1.5", "--top-k", "50")
    drawn = [reported(capsys, *words, "--seed", seed)["tokens"] for seed in ("1", "1", "2")]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_stop_token_ends_it_unless_it_is_ignored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(FOLDER, tmp_path / "m")
    free = reported(capsys, str(FOLDER), PROMPT, "--max-tokens", "6")["tokens"]
    (tmp_path / "m/generation_config.json").write_text(json.dumps({"eos_token_id": free[1]}))
    stopped = reported(capsys, str(tmp_path / "m"), PROMPT, "--max-tokens", "6")
    assert (stopped["tokens"], stopped["stop_reason"]) == (free[:2], "stop")
    ignored = reported(capsys, str(tmp_path / "m"), PROMPT, "--max-tokens", "6", "--ignore-stop")
    assert ignored["tokens"] == free


def test_one_token_and_the_whole_context(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(reported(capsys, str(FOLDER), "--token-ids", "0", "--max-tokens", "1")["tokens"]) == 1
    full = reported(capsys, str(FOLDER), "--token-ids", "5 " * 512, "--max-tokens", "9")
    assert (len(full["tokens"]), full["stop_reason"]) == (1, "context")
    assert full["timings"]["decode_tokens_per_second"] is None


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([""], 2, "the prompt is empty"),
        (["--token-ids", " "], 2, "the prompt is empty"),
        (["--token-ids", "1,4096"], 1, "token id 4096 is out of range: the embedding has 4096 rows"),
        (["--token-ids=-1"], 1, "token id -1 is out of range"),
        (["--token-ids", "1 x"], 1, "'x' is no token id"),
        (["--token-ids", "7 " * 513], 1, "has 513 tokens, and the model was made for a context of 512"),
        (["a\udcffb"], 1, "not valid UTF-8 at character 1"),
        (["a", "--token-ids", "1"], 2, "three ways of giving one prompt"),
        (["--token-ids", "1", "--chat"], 2, "--chat needs a text"),
        (["a", "--system", "b"], 2, "say --chat, too"),
        (["a", "--top-k", "5"], 2, "--top-k changes nothing"),
        (["a", "--min-p", "0.1"], 2, "say --temperature, too"),
        (["a", "--max-tokens", "0"], 2, "--max-tokens cannot be 0"),
        (["a", "--top-p", "2", "--temperature", "1"], 2, "top_p cannot be 2"),
        (["a", "b"], 2, "unrecognized arguments: b"),
        (["--prompt-file", "/nowhere"], 2, "/nowhere: there is no such file"),
        (["a", "--tokenizer", "/nowhere"], 1, "cannot be read"),
    ],
)
def test_what_has_no_answer_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    assert message in refused(capsys, code, str(FOLDER), *words)


def test_a_prompt_behind_options_is_the_prompt(capsys: pytest.CaptureFixture[str]) -> None:
    before = reported(capsys, str(FOLDER), PROMPT, "--max-tokens", "1")
    assert reported(capsys, str(FOLDER), "--max-tokens", "1", PROMPT)["tokens"] == before["tokens"]


def test_a_tokenizer_larger_than_the_embedding_is_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(FOLDER, tmp_path / "m")
    whole = json.loads((tmp_path / "m/tokenizer.json").read_text())
    whole["added_tokens"].append({**whole["added_tokens"][0], "id": 4096, "content": "<|more|>"})
    (tmp_path / "m/tokenizer.json").write_text(json.dumps(whole))
    said = refused(capsys, 1, str(tmp_path / "m"), "a")
    assert "has a token of id 4096, and the embedding has 4096 rows" in said


def test_a_config_that_contradicts_the_tensors_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(FOLDER, tmp_path / "m")
    config = json.loads((FOLDER / "config.json").read_text()) | {"num_attention_heads": 4}
    (tmp_path / "m/config.json").write_text(json.dumps(config))
    assert "contradicts its tensors" in refused(capsys, 1, str(tmp_path / "m"), "a")


def test_weights_that_are_no_numbers_are_refused_by_name_or_with_the_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = open_checkpoint(FOLDER)
    name = "model.layers.0.mlp.up_proj.weight"
    values = np.full(model.info(name).shape, np.nan, np.float32)
    broken = Overlay(model, replace={name: from_values(name, values.shape, lambda: values, "F16")})
    export(broken, str(tmp_path / "x"), "gguf", folder=FOLDER)
    said = refused(capsys, 1, str(tmp_path / "x"), "a")
    assert f"{name} has 196608 values that are NaN or infinite" in said
    assert "apr trace" in said
    said = refused(capsys, 1, str(tmp_path / "x"), "a", "--one-layer-at-a-time")
    assert "step 1 after the prompt: 4096 of 4096 logits are NaN or infinite; apr trace" in said


def test_a_model_that_does_not_fit_is_refused_before_it_is_loaded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pv_runtime.memory.available_memory", lambda: 1 << 20)
    said = refused(capsys, 1, str(FOLDER), "a")
    assert "for its weights, and 0.0 GiB are available" in said
    assert "--one-layer-at-a-time" in said


def test_a_model_without_a_tokenizer_takes_ids_and_gives_ids(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(open_checkpoint(FOLDER), str(tmp_path / "x"), "gguf")
    assert "carries no tokenizer" in refused(capsys, 1, str(tmp_path / "x"), "a")
    assert reported(capsys, str(tmp_path / "x"), "a", "--tokenizer", str(FOLDER), "--max-tokens", "1")["text"]
    report = reported(capsys, str(tmp_path / "x"), "--token-ids", "1,2", "--max-tokens", "2")
    assert report["text"] is None
    assert run(str(tmp_path / "x"), "--token-ids", "1,2", "--max-tokens", "2") == 0
    assert capsys.readouterr().out.split() == [str(token) for token in report["tokens"]]


def test_a_model_without_a_template_does_not_chat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(FOLDER, tmp_path / "m")
    (tmp_path / "m/tokenizer_config.json").unlink()
    assert "carries no chat template" in refused(capsys, 1, str(tmp_path / "m"), "a", "--chat")


def test_nothing_in_the_text_drives_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from pv_runtime.commands.run import _print_piece

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    _print_piece("a\tb\n\x1b[2J\x9b日")
    assert terminal.getvalue() == "a\tb\n\\x1b[2J\\x9b日"


def test_an_interrupted_text_ends_with_what_came(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pv_runtime.cli", "run", str(FOLDER), PROMPT, "--max-tokens", "400",
               "--threads", "1", "--ignore-stop", "--one-layer-at-a-time"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    # A shell has its background jobs ignore SIGINT, and children inherit that; a handler they do not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out.endswith(b"\n")
    assert err == b""


def test_it_is_read_no_further_than_its_reader_wants() -> None:
    command = [sys.executable, "-m", "pv_runtime.cli", "run", str(FOLDER), PROMPT, "--max-tokens", "200",
               "--threads", "1", "--ignore-stop"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1)
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait() == 0


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, ["--seed", "5", PROMPT]),
        (2, ["--threads", "99999999999", PROMPT]),
        (1, ["--token-ids", "9" * 5000]),
        (1, ["--token-ids", "٣"]),
    ],
)
def test_numbers_that_mean_nothing_are_refused(
    capsys: pytest.CaptureFixture[str], code: int, words: list[str]
) -> None:
    assert cli.main(["run", str(FOLDER), "--max-tokens", "1", *words]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert "Traceback" not in said.err


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_closed_streams_are_nobodys_and_not_the_others(closed: str) -> None:
    given = "" if closed == "<&-" else "--token-ids 1"
    words = f"{sys.executable} -m pv_runtime.cli run {FOLDER} {given} --max-tokens 2 --threads 1 --json"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        ["sh", "-c", f"{words} {closed}"], capture_output=True, check=False, env=environment
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == {"<&-": 2, ">&-": 4, "2>&-": 0}[closed]
    if closed == "2>&-":
        assert len(json.loads(done.stdout)["tokens"]) == 2  # and nothing beside it


def test_what_is_said_of_a_run_does_not_go_to_standard_output_where_there_is_no_other() -> None:
    words = f"{sys.executable} -m pv_runtime.cli run {FOLDER} --token-ids 1 --max-tokens 2 --threads 1 2>&-"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(["sh", "-c", words], capture_output=True, check=True, env=environment)
    assert b"prefill" not in done.stdout


def test_a_penalty_on_repetition_changes_what_is_most_likely(capsys: pytest.CaptureFixture[str]) -> None:
    words = (str(FOLDER), "x = 1\nx = 1\nx = 1\n", "--max-tokens", "8")
    plain = reported(capsys, *words)
    varied = reported(capsys, *words, "--repetition-penalty", "4")
    assert varied["sampling"]["repetition_penalty"] == 4
    assert len({*varied["tokens"]}) > len({*plain["tokens"]})
