from __future__ import annotations

from pathlib import Path

import pytest

from pv.errors import ConfigError
from pv.executors import EXECUTORS, make_executor, parse_settings
from pv.executors.local import LocalExecutor
from pv.executors.protocol import Executor, Setup


def test_the_registry_makes_what_it_names(tmp_path: Path) -> None:
    made: Executor = make_executor("local", Setup(tmp_path, tmp_path / "scratch", {}))
    assert isinstance(made, LocalExecutor)
    assert (made.slots, made.elsewhere) == (1, False)
    made.close()
    made.close()
    assert make_executor("local", Setup(tmp_path, tmp_path, {}, jobs=3)).slots == 3


@pytest.mark.parametrize("name", EXECUTORS)
def test_a_setting_that_nobody_knows_is_refused(name: str) -> None:
    assert parse_settings(name, {}) == {}
    with pytest.raises(ConfigError, match=rf"executors\.{name}\.no-such is no setting"):
        parse_settings(name, {"no-such": 1})


def test_an_executor_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is no executor 'moon'"):
        parse_settings("moon", {})
