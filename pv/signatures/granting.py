"""Whether a rule of a policy grants that a record counts, and if none does, why not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from pv.host import gpu_satisfies
from pv.record_facts import host_class
from pv.signatures.policy import Policy, Rule, matches
from pv.signatures.reasons import Reason

__all__ = ["moments_of", "refusals_of_rules"]

_CLOCKS_DIFFER = dt.timedelta(hours=1)
"""A record may be so much younger than now: clocks of hosts differ."""
_ORDER = (
    Reason.LEVEL_NOT_ALLOWED,
    Reason.HOST_NOT_ALLOWED,
    Reason.KEY_NOT_ALLOWED,
    Reason.RECORD_AFTER_KEY,
    Reason.KEY_EXPIRED,
    Reason.TOO_FEW_KEYS,
    Reason.RECORD_AFTER_RULE,
    Reason.RULE_EXPIRED,
    Reason.TOO_OLD,
)
"""Of several rules that refuse, the one that came furthest is told."""


def refusals_of_rules(
    predicate: Mapping[str, Any], keys: frozenset[str], policy: Policy, now: dt.datetime
) -> Iterator[tuple[Reason, str]]:
    """Yield why a verified record that `keys` signed does not count; nothing where one rule grants it."""
    made = _time(predicate)
    if made is None:
        yield Reason.DOES_NOT_VERIFY, "section run states no time with a zone"
        return
    if made > now + _CLOCKS_DIFFER:
        yield Reason.FROM_THE_FUTURE, f"it says that it was made {made.isoformat()}"
    address = f"{predicate['falsifier']['contract']}#{predicate['falsifier']['id']}"
    rules = [rule for rule in policy.rules if matches(address, rule.falsifiers)]
    if not rules:
        yield Reason.NO_RULE, f"no rule of the policy is about {address}"
        return
    refused = [_refusal(rule, predicate, keys, policy, made, now) for rule in rules]
    if None not in refused:
        yield max((one for one in refused if one), key=lambda one: _ORDER.index(one[0]))


def moments_of(predicate: Mapping[str, Any], policy: Policy) -> Iterator[dt.datetime]:
    """Yield the moments at which another answer about a record may be due, though nothing else changed."""
    expiries = [policy.not_after, *(key.not_after for key in policy.keys.values())]
    expiries += [rule.not_after for rule in policy.rules]
    yield from (moment for moment in expiries if moment is not None)
    if (made := _time(predicate)) is not None:
        yield made - _CLOCKS_DIFFER
        yield from (made + rule.max_age for rule in policy.rules if rule.max_age is not None)


def _time(predicate: Mapping[str, Any]) -> dt.datetime | None:
    try:
        made = dt.datetime.fromisoformat(predicate["run"]["started_at"])
    except (LookupError, TypeError, ValueError):
        return None
    return made if made.tzinfo else None


def _refusal(
    rule: Rule,
    predicate: Mapping[str, Any],
    keys: frozenset[str],
    policy: Policy,
    made: dt.datetime,
    now: dt.datetime,
) -> tuple[Reason, str] | None:
    place, here = predicate["place"], f"rule {rule.number}"
    if rule.levels and place["level"] not in rule.levels:
        return Reason.LEVEL_NOT_ALLOWED, f"{here} takes no evidence of {place['level']} level"
    if why := _other_host(rule, predicate):
        return Reason.HOST_NOT_ALLOWED, f"{here} takes no evidence of {why}"
    signed = [policy.keys[key] for key in sorted(keys)]
    allowed = [entry for entry in signed if entry.name in rule.keys]
    if not allowed:
        names = ", ".join(entry.name for entry in signed)
        return Reason.KEY_NOT_ALLOWED, f"{here} does not let the key {names} sign for it"
    good = [entry for entry in allowed if not entry.not_after or max(made, now) <= entry.not_after]
    if not good:
        first = allowed[0]
        late = [entry for entry in allowed if entry.not_after and made > entry.not_after]
        reason = Reason.RECORD_AFTER_KEY if len(late) == len(allowed) else Reason.KEY_EXPIRED
        what = "it was made" if reason is Reason.RECORD_AFTER_KEY else "it is"
        until = first.not_after.isoformat() if first.not_after else ""
        return reason, f"{what} after the key {first.name} expired, {until}"
    if len(good) < rule.threshold:
        return Reason.TOO_FEW_KEYS, f"{len(good)} key(s) signed, and {here} wants {rule.threshold}"
    if rule.not_after and made > rule.not_after:
        return Reason.RECORD_AFTER_RULE, f"it was made after {here} expired, {rule.not_after.isoformat()}"
    if rule.not_after and now > rule.not_after:
        return Reason.RULE_EXPIRED, f"it is after {here} expired, {rule.not_after.isoformat()}"
    if rule.max_age and now - made > rule.max_age:
        days = rule.max_age.days
        return Reason.TOO_OLD, f"it was made {made.isoformat()}, and {here} takes what is {days} days old"
    return None


def _other_host(rule: Rule, predicate: Mapping[str, Any]) -> str:
    """Say which fact of the host or device the rule does not take; empty where it takes all."""
    place, host = predicate["place"], predicate["host"]
    whole = host_class(host, place)
    if rule.hosts and not (matches(host["class"], rule.hosts) or matches(whole, rule.hosts)):
        return f"the host class {whole!r}"
    if rule.devices and not matches(place["device"], rule.devices):
        return f"the device {place['device']}"
    capability = place.get("capability")
    if rule.capabilities and not (
        capability and any(gpu_satisfies(need, capability) for need in rule.capabilities)
    ):
        return f"the compute capability {capability or 'of no GPU'}"
    return ""
