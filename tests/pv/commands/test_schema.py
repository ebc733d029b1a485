from __future__ import annotations

import json
from importlib import resources

import pytest

from pv.cli import main
from pv.json_schema import json_schema


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--format", "json"]])
def test_the_schema_alone_is_on_stdout(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["schema", *arguments]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == json_schema()
    assert not shown.err


def test_the_schema_is_in_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    shipped = resources.files("pv").joinpath("contract.schema.json").read_text(encoding="utf-8")
    assert capsys.readouterr().out == shipped
