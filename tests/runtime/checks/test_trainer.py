from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.trainer import SMALL, Trainer, folder_of, random_init, random_shards, words
from pv_runtime.formats import open_checkpoint
from pv_runtime.pretrain import settings

SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"


def test_parts_are_replaced_for_as_long_as_the_command_runs() -> None:
    before = settings.MODES
    trainer = Trainer().having(settings, "MODES", lambda modes: {"one": modes})
    twice = trainer.having(settings, "MODES", lambda modes: {"two": modes})
    with twice.in_place():
        found: Any = settings.MODES
        assert found == {"two": {"one": before}}
    assert settings.MODES is before
    with pytest.raises(RuntimeError), trainer.in_place():
        raise RuntimeError
    assert settings.MODES is before


def test_a_run_ends_as_the_command_does(tmp_path: Path) -> None:
    options = {
        "init": random_init(tmp_path / "init"),
        "dataset": random_shards(tmp_path / "shards"),
        "tokenizer": folder_of(open_checkpoint(SHIPPED)),
    }
    ended = Trainer().run(words(tmp_path / "run", **options))
    assert (ended.code, ended.made, ended.report["steps"], ended.latest.name) == (0, True, 2, "step-00000002")
    assert ended.record["architecture"]["hidden_size"] == SMALL.hidden_size
    assert ended.stated["mode"] == "finetune"
    assert Trainer().run(words(tmp_path / "other", **options, lr="fast")).code == 2
    refused = Trainer().run(words(tmp_path / "other", **{**options, "init": tmp_path / "nothing"}))
    assert (refused.code, refused.made, refused.report) == (2, False, {})
    broken = Trainer().having(settings, "_DEFAULTS", lambda _: None)
    crashed = broken.run(words(tmp_path / "other", **options))
    assert crashed.code == 4
    assert "Traceback" in crashed.said
