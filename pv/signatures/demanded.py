"""Records of a project that demands signatures: each satisfies every policy of the project, or is refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from pv.config import Config
from pv.errors import EvidenceError
from pv.evidence import Record
from pv.evidence_transfer import Carried, carry
from pv.result_cache.moments import note_moments
from pv.signatures.granting import moments_of
from pv.signatures.judging import expiry, judge_record
from pv.signatures.policy import Policy
from pv.signatures.policy_file import read_policy
from pv.signatures.remedies import remedy

__all__ = ["RefusedError", "demanded_record", "read_policies"]


class RefusedError(EvidenceError):
    """A policy does not let a record count; `remedy` is what to do about it."""


def demanded_record(path: Path, config: Config, *, outcomes_only: bool = False) -> Record:
    """Return the record at `path`, which verifies and satisfies every policy of `config`.

    All is judged of the same bytes, whoever writes there meanwhile.

    Raises
    ------
    RefusedError
        A policy does not let it count.
    EvidenceError
        It cannot be read.
    PolicyError, ConfigError
        A policy cannot be read, or what verifies signatures is not installed.
    """
    policies = [*read_policies(config)]
    carried = carry(path)
    now = dt.datetime.now(dt.UTC)
    record: Record | None = None
    for shown, policy in policies:
        record = _judged(path, carried, shown, policy, now, outcomes_only=outcomes_only)
    if record is None:
        raise AssertionError("a project without a policy demands nothing")
    return record


def read_policies(config: Config) -> Iterator[tuple[str, Policy]]:
    """Yield what messages call each policy of `config`, and the policy.

    Raises
    ------
    PolicyError, ConfigError
        See :func:`pv.signatures.policy_file.read_policy`.
    """
    for shown, path in config.policies.items():
        if path not in config.read_policies:
            config.read_policies[path] = read_policy(path, shown)
        yield shown, config.read_policies[path]


def _judged(
    path: Path, carried: Carried, shown: str, policy: Policy, now: dt.datetime, *, outcomes_only: bool
) -> Record:
    record, found = judge_record(path, carried, policy, now, outcomes_only=outcomes_only)
    note_moments(moments_of(record.predicate if record else {}, policy), now)
    found = [*expiry(policy, now), *found]
    if record is None or found:
        reason, why = found[0]
        address = "#".join(carried.name.split("/")[:2])
        raise RefusedError(
            f"{path.name} does not count by {shown}: {reason.value}: {why}", remedy=remedy(reason, address)
        )
    return record
