"""Policies that have expired, grant something else, or say something twice."""

from __future__ import annotations

from benchmarks.trust.tamper_records import LIVE
from benchmarks.trust.victim import Do

__all__ = ["CASES"]

_PAST = "not_after = 2020-01-01T00:00:00Z\n"


def _edit(old: str, new: str) -> Do:
    return lambda victim: victim.edit("policy.toml", old, new)


def _rule(line: str) -> Do:
    return _edit('keys = ["release"]\n', f'keys = ["release"]\n{line}\n')


CASES: tuple[tuple[str, str, str, str, Do], ...] = (
    ("the policy has expired", "policy.toml", "policy-expired", "good until 2020",
     _edit("version = 1\n", f"version = 1\n{_PAST}")),
    ("a key has expired", LIVE, "record-after-key", "after the key release expired, 2020",
     _edit('file = "release.pub"\n', f'file = "release.pub"\n{_PAST}')),
    ("a rule has expired", LIVE, "record-after-rule", "after rule 1 expired, 2020", _rule(_PAST)),
    ("no rule is about the falsifier", LIVE, "no-rule", "about first-v1#FALSIFY-FIRST-001",
     _edit('falsifiers = ["first-v1#*"]', 'falsifiers = ["other-v1#*"]')),
    ("the rule is about another level", LIVE, "level-not-allowed", "no evidence of live level",
     _rule('levels = ["functional"]')),
    ("the rule is about other hosts", LIVE, "host-not-allowed", "no evidence of the host class",
     _rule('hosts = ["darwin-*"]')),
    ("the rule is about other devices", LIVE, "host-not-allowed", "no evidence of the device cpu",
     _rule('devices = ["cuda-*"]')),
    ("the rule is about GPUs", LIVE, "host-not-allowed", "the compute capability of no GPU",
     _rule('capabilities = [">=8.9"]')),
    ("the rule is about another key", LIVE, "key-not-allowed", "does not let the key release sign",
     _edit('keys = ["release"]\n', 'keys = ["night"]\n')),
    ("the rule wants more keys", LIVE, "too-few-keys", "1 key(s) signed, and rule 1 wants 2",
     _edit('keys = ["release"]\n', 'keys = ["release", "night"]\nthreshold = 2\n')),
    ("a key stands twice in the policy", "policy.toml", "policy", "error: a key stands twice",
     _edit("threshold = 2\n", "threshold = 2\nthreshold = 1\n")),
    ("a public key is another than its id says", "policy.toml", "policy", "the key has the id",
     _edit('file = "release.pub"', 'file = "stranger.pub"')),
    ("a rule names a key that is not there", "policy.toml", "policy", "there is no [keys.stranger]",
     _edit('keys = ["release"]\n', 'keys = ["stranger"]\n')),
    ("a key of the policy means nothing", "policy.toml", "policy", "Extra inputs are not permitted",
     _rule("allow_all = true")),
)  # fmt: skip
