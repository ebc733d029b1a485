from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from pv.evidence import PREDICATE_TYPE, SCHEMA_VERSION
from pv.exits import Exit
from pv.signatures.keys import generate_key
from pv.signatures.policy import matches
from pv.signatures.policy_file import PolicyError, read_policy

WHOLE = """\
# whose word counts
version = 1
schema_version = 1
not_after = 2030-01-01T00:00:00Z

[keys.release]
id = "{a}"
file = "a.pub"
not_after = 2028-01-01T00:00:00+01:00

[keys.gpu]
id = "{b}"
pem = '''
{pem}'''

[[rules]]
falsifiers = ["tiny-*#*"]
keys = ["release"]

[[rules]]
falsifiers = ["kernels-v1#F-1", "x"]
keys = [
    "release",
    "gpu",
]
threshold = 2
levels = ["live"]
hosts = ["linux-*"]
devices = ["cuda-*"]
capabilities = [">=8.9"]
not_after = 2027-01-01T00:00:00Z
max_age_days = 30

[[required]]
falsifiers = ["tiny-*#*"]
levels = ["live", "algorithm"]
"""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("a", "b"):
        (folder / f"{name}.id").write_text(generate_key(folder / name).keyid)
    return folder


def written(keys: Path, text: str = WHOLE) -> Path:
    path = keys / "policy.toml"
    for name in ("a", "b"):
        text = text.replace(f"{{{name}}}", (keys / f"{name}.id").read_text())
    path.write_text(text.replace("{pem}", (keys / "b.pub").read_text()), encoding="utf-8")
    return path


def test_every_key_is_read(keys: Path) -> None:
    policy = read_policy(written(keys))
    assert policy.schema_version == 1
    assert policy.predicate_types == (PREDICATE_TYPE,)
    assert policy.not_after == dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    assert {entry.name: key for key, entry in policy.keys.items()} == {
        name: (keys / f"{file}.id").read_text() for name, file in (("release", "a"), ("gpu", "b"))
    }
    first, second = policy.rules
    assert (first.number, first.threshold, first.levels, first.max_age) == (1, 1, (), None)
    assert second.keys == {"release", "gpu"}
    assert (second.threshold, second.levels, second.hosts) == (2, ("live",), ("linux-*",))
    assert (second.devices, second.capabilities) == (("cuda-*",), (">=8.9",))
    assert second.max_age == dt.timedelta(days=30)
    (required,) = policy.required
    assert required.levels == ("live", "algorithm")


def test_without_more_it_wants_what_this_engine_writes(keys: Path) -> None:
    text = WHOLE.replace("schema_version = 1\n", "").partition("[[required]]")[0]
    policy = read_policy(written(keys, text))
    assert (policy.schema_version, policy.required) == (SCHEMA_VERSION, ())


@pytest.mark.parametrize(
    ("old", "new", "line", "why"),
    [
        ("version = 1\ns", "version = 2\ns", 2, "version: Input should be 1"),
        ("version = 1\ns", "s", 1, "version: Field required"),
        ("schema_version = 1", "schema_version = 99", 3, "schema_version: Input should be less than"),
        ("not_after = 2030-01-01T00:00:00Z", "not_after = 2030-01-01T00:00:00", 4, "timezone"),
        ("not_after = 2030-01-01T00:00:00Z", 'not_after = "2030"', 4, "not_after: Input should be a valid d"),
        ("not_after = 2030", "until = 2030", 4, "until: Extra inputs are not permitted"),
        ('file = "a.pub"', 'file = "c.pub"', 8, r"keys\.release\.file: cannot read c\.pub"),
        ('file = "a.pub"', 'file = "a"', 8, r"keys\.release\.file: it is no public key"),
        ('file = "a.pub"', 'file = "b.pub"', 7, r"keys\.release\.id: the key has the id"),
        ('file = "a.pub"\n', "", 6, r"keys\.release: it has either file or pem"),
        ('"{a}"', '"12"', 7, r"keys\.release\.id: String should match"),
        ('id = "{b}"\n', 'id = "{a}"\nfile = "a.pub"\n', 11, r"keys\.gpu: it has either file or pem"),
        ('    "gpu",\n', '    "cpu",\n', 22, r"rules\[1\]\.keys\[1\]: there is no \[keys\.cpu\]"),
        ("threshold = 2", "threshold = 3", 26, r"rules\[1\]\.threshold: 3 of 2 key\(s\) can never sign"),
        ("threshold = 2", "threshold = 0", 26, r"rules\[1\]\.threshold: Input should be greater"),
        ("threshold = 2", 'threshold = "2"', 26, r"rules\[1\]\.threshold: Input should be a valid integer"),
        (
            'levels = ["live"]',
            'levels = ["dead"]',
            27,
            r"rules\[1\]\.levels\[0\]: Input should be 'algorithm",
        ),
        ('["linux-*"]', "[]", 28, r"rules\[1\]\.hosts: List should have at least 1"),
        ('[">=8.9"]', '[">8.9"]', 30, r"rules\[1\]\.capabilities\[0\]: String should match"),
        ('levels = ["live", "a', 'level = ["live", "a', 36, r"required\[0\]\.level: Extra inputs"),
        ("threshold = 2\n", "threshold = 2\nthreshold = 1\n", 27, "a key stands twice"),
        ("[keys.gpu]", "[keys.release]", 11, "a key stands twice"),
        ("threshold = 2\n", "threshold =\n", 26, "it is not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_line(keys: Path, old: str, new: str, line: int, why: str) -> None:
    assert WHOLE.count(old) == 1
    path = written(keys, WHOLE.replace(old, new))
    with pytest.raises(PolicyError, match=why) as caught:
        read_policy(path)
    assert caught.value.exit == Exit.USAGE
    assert caught.value.where is not None
    # A public key takes three lines more than its place in the text.
    shift = 3 if line > 14 else 0
    assert (caught.value.where.path, caught.value.where.line) == (str(path), line + shift)


def test_one_key_has_one_name(keys: Path) -> None:
    text = WHOLE.replace('id = "{b}"', 'id = "{a}"').replace("{pem}", (keys / "a.pub").read_text())
    with pytest.raises(PolicyError, match=r"keys\.gpu: it is the same key as release"):
        read_policy(written(keys, text))


def test_a_policy_that_cannot_be_read_is_one_message(keys: Path) -> None:
    path = keys / "none.toml"
    with pytest.raises(PolicyError, match="cannot read the policy"):
        read_policy(path)
    path.write_bytes(b"\xff")
    with pytest.raises(PolicyError, match="not UTF-8"):
        read_policy(path)
    path.write_bytes(b"#" * (1 << 21))
    with pytest.raises(PolicyError, match="more than"):
        read_policy(path)


def test_patterns_match_whole_names_and_mind_the_case() -> None:
    assert matches("tiny-v1#F-1", ("x", "tiny-*#F-?"))
    assert not matches("tiny-v1#F-10", ("tiny-*#F-?",))
    assert not matches("Tiny-v1#F-1", ("tiny-*",))
    assert not matches("a", ())
