from __future__ import annotations

import json
import shutil
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.masking import MASK, masked, masker
from tests.pv.conftest import Project

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789"
TOKENS = {
    "github": f"ghp_{LETTERS[:36]}",
    "github, fine-grained": f"github_pat_{LETTERS[:22]}_{LETTERS}",
    "gitlab": f"glpat-{LETTERS[:20]}",
    "hugging face": f"hf_{LETTERS[:34]}",
    "aws": "AKIA" + "ABCDEFGHIJKLMNOP",
    "google": "AIza" + LETTERS[:35],
    "slack": "xoxb-" + LETTERS[:24],
    "npm": "npm_" + LETTERS[:36],
    "pypi": "pypi-" + LETTERS + LETTERS,
    "openai": "sk-" + LETTERS,
    "jwt": f"eyJ{LETTERS[:20]}.eyJ{LETTERS[:20]}.{LETTERS}",
}


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_is_told_by_its_shape(kind: str) -> None:
    token = TOKENS[kind]
    assert masked(token) == MASK
    assert masked(f"with '{token}', it") == f"with '{MASK}', it"
    assert token not in masker()(f"x={token}\n")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("https://user:pass@host/a", "https://***@host/a"),
        ("--subject x=https://user@host/", "--subject x=https://***@host/"),
        ("postgresql+psycopg://me:p%40ss@db:5432/x", "postgresql+psycopg://***@db:5432/x"),
        ("https://host/a?token=abc&part=2", "https://host/a?token=***&part=2"),
        ("https://host/a?part=2&X-Amz-Signature=abc", "https://host/a?part=2&X-Amz-Signature=***"),
        ("https://host/a?AWSAccessKeyId=abc#x", "https://host/a?AWSAccessKeyId=***#x"),
        ("Authorization: Bearer abc", "Authorization: Bearer ***"),
        ("{'authorization': 'Basic dXNlcjpwYXNz'}", "{'authorization': 'Basic ***'}"),
        ("curl -H 'Bearer 0123456789abcdef'", "curl -H 'Bearer ***'"),
        ("HF_TOKEN=abc PATH=/bin", "HF_TOKEN=*** PATH=/bin"),
        ("environ({'AWS_SECRET_ACCESS_KEY': 'a/b+c', 'HOME': '/root'})", None),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nx", "***\nx"),
        ("-----BEGIN PRIVATE KEY-----\ncut off", "***"),
    ],
)
def test_so_is_what_is_named_like_a_secret(text: str, wanted: str | None) -> None:
    told = masked(text)
    if wanted is None:
        assert "a/b+c" not in told
        assert "'HOME': '/root'" in told
    else:
        assert told == wanted


@pytest.mark.parametrize(
    "text",
    [
        "model.layers.0.self_attn.q_proj.weight",
        "hf://gpt2@607a30d783dfa663caf39e06633721c8d4cfcd7e/model.safetensors",
        "https://huggingface.co/owner/repo?revision=main",
        "hf_model_of_a_checkpoint_that_has_a_long_name",
        "MAX_TOKENS=512",
        "TOKEN=512",
        "token 3: the",
        "a sk-learn estimator",
        "bearer of news",
        "",
    ],
)
def test_what_is_none_stays_as_it_is(text: str) -> None:
    assert masked(text) == text
    assert masker()(text) == text


@given(st.lists(st.sampled_from([*TOKENS.values(), "https://a:b@c/", "?key=", " ", "x", "'", "***", "="])))
def test_masking_twice_is_masking_once(parts: list[str]) -> None:
    text = "".join(parts)
    assert masked(masked(text)) == masked(text)
    told = masker()
    assert told(told(text)) == told(text)


@given(st.text("abc", min_size=1, max_size=5), st.text("abc", min_size=1, max_size=5))
def test_what_differs_still_differs_and_what_is_the_same_still_is(one: str, other: str) -> None:
    told = masker()
    texts = [f"https://{secret}@host/" for secret in (one, other)]
    assert (told(texts[0]) == told(texts[1])) == (one == other)
    assert told(texts[0]) != masker()(texts[0])


def test_labels_without_one_cost_next_to_nothing() -> None:
    labels = [f"model.layers.{layer}.self_attn.q_proj.weight" for layer in range(10_000)]
    told = masker()
    began = time.process_time()
    assert [told(label) for label in labels] == labels
    assert time.process_time() - began < 1.0


CHECK = """
import os
from pv.check import CheckError, Metric, Run, check


@check(metrics=[Metric("x"), Metric("said", kind="text")])
def says(run: Run, *, numbers: object, fails: bool) -> None:
    token = "ghp_" + "a1" * 18
    print("printing", token, os.environ)
    run.record("said", f"fetched https://user:hunter2@host/a?token=hunter3 with {token}")
    run.record("x", 1.0, label=f"HF_TOKEN=hunter4 {token}")
    if fails:
        raise CheckError(f"401 for Authorization: Bearer hunter5, {token}")
"""
HIDDEN = ("ghp_", "hunter2", "hunter3", "hunter4", "hunter5", "hunter6", "hunter7")


@pytest.mark.parametrize("fails", [False, True])
def test_no_secret_is_in_evidence_nor_in_what_is_said_of_a_run(project: Project, fails: bool) -> None:
    (project.root / "small_checks" / "saying.py").write_text(CHECK)
    project.contract(
        check="small_checks.saying:says",
        counter_examples=None,
        subjects={"live": {"numbers": "shipped"}},
        expect=["min(x) >= 2"],
        needs={"memory": "256 MiB"},
        **{"with": {"fails": fails}},
    )
    other = "https://user:hunter6@host/it?token=hunter7"
    (project.root / other).parent.mkdir(parents=True)
    shutil.copy(project.root / "data" / "shipped.txt", project.root / other)
    said = [project.pv("sweep", "--json").said]
    said.append(project.pv("discharge", "contracts", "--force", "--subject", f"shipped={other}").said)
    assert (len(project.evidence()) == 1) == (not fails)
    files = [path for path in project.root.rglob("*") if path.is_file() and "small_checks" not in path.parts]
    for text in (*said, *(path.read_text(errors="replace") for path in files)):
        assert not [secret for secret in HIDDEN if secret in text], text
    if not fails:
        (data, *_) = project.evidence().values()
        assert json.loads(data)["predicate"]["measurements"]["said"]["values"][0].startswith(
            "fetched https://***"
        )
    assert project.pv("evidence", "verify").code in {0, 2}
