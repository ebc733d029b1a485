"""What to do about a record that a policy does not let count: a step for each reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pv.signatures.reasons import Reason

__all__ = ["remedy"]

_SIGN = "have it signed by a key that the policy lets sign for it: pv evidence sign {address} --key KEY"
_AGAIN = "discharge it again, then sign it: pv discharge {address}; pv evidence sign {address} --key KEY"
_RENEW = "renew the policy: only who keeps it may"
_ALLOW = "discharge it where a rule of the policy takes it from, or have the policy take it"

_STEPS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.UNREADABLE: _AGAIN,
        Reason.DUPLICATE_KEY: _AGAIN,
        Reason.OTHER_TYPE: _AGAIN,
        Reason.SCHEMA_DOWNGRADED: _AGAIN,
        Reason.SIDECAR_DIFFERS: _AGAIN,
        Reason.DOES_NOT_VERIFY: _AGAIN,
        Reason.OTHER_SPELLING: _AGAIN,
        Reason.UNSIGNED: _SIGN,
        Reason.UNSIGNED_BESIDE_SIGNED: _SIGN,
        Reason.ENVELOPE_UNREADABLE: _SIGN,
        Reason.ENVELOPE_SPELLING: _SIGN,
        Reason.SIGNED_TWICE: _SIGN,
        Reason.PAYLOAD_TYPE: _SIGN,
        Reason.PAYLOAD_DIFFERS: _SIGN,
        Reason.UNKNOWN_KEY: _SIGN,
        Reason.BAD_SIGNATURE: _SIGN,
        Reason.KEY_NOT_ALLOWED: _SIGN,
        Reason.KEY_EXPIRED: _SIGN,
        Reason.TOO_FEW_KEYS: _SIGN,
        Reason.POLICY_EXPIRED: _RENEW,
        Reason.RULE_EXPIRED: _RENEW,
        Reason.RECORD_AFTER_RULE: _RENEW,
        Reason.NO_RULE: _ALLOW,
        Reason.LEVEL_NOT_ALLOWED: _ALLOW,
        Reason.HOST_NOT_ALLOWED: _ALLOW,
        Reason.RECORD_AFTER_KEY: _SIGN,
        Reason.TOO_OLD: _AGAIN,
        Reason.FROM_THE_FUTURE: f"set the clock of the host that made it; {_AGAIN}",
    }
)
"""Left out are the reasons that are not of a record and its signatures alone."""


def remedy(reason: Reason, address: str) -> str:
    """Return what to do, in a sentence without a full stop, of a record of `address` (``contract#ID``)."""
    return _STEPS[reason].replace("{address}", address)
