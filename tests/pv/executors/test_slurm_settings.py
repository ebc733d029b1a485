from __future__ import annotations

import pytest

from pv.errors import ConfigError
from pv.executors import parse_settings


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90", 90),
        ("90:00", 90),
        ("1:30", 2),
        ("01:30:00", 90),
        ("00:00:01", 1),
        ("2-0", 2880),
        ("1-01:30", 1530),
        ("1-01:30:01", 1531),
    ],
)
def test_a_time_is_read_as_slurm_does_and_rounded_up(text: str, minutes: int) -> None:
    assert parse_settings("slurm", {"time": text}) == {"time": minutes}


def test_settings_are_words_and_numbers() -> None:
    stated = {
        "partition": "gpu",
        "cpus": 4,
        "mem": "16G",
        "gpu": "9.0",
        "python": "/opt/bin/python",
        "time": 30,
    }
    assert parse_settings("slurm", stated) == stated


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("time", "0"),
        ("time", "soon"),
        ("time", "1:2:3:4"),
        ("cpus", "0"),
        ("cpus", "two"),
        ("mem", "much"),
        ("mem", "0G"),
        ("gpu", "H100"),
        ("kind", "moon"),
        ("root", "relative"),
        ("partition", ""),
        ("account", "two\nlines"),
    ],
)
def test_what_is_none_of_them_is_refused(key: str, text: str) -> None:
    with pytest.raises(ConfigError, match=rf"executors\.slurm\.{key}: "):
        parse_settings("slurm", {key: text})
