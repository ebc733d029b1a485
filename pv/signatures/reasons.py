"""Why a record is not trusted: each reason has a word of its own, for programs, and a sentence."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["MEANINGS", "Reason", "Refusal"]


class Reason(enum.StrEnum):
    """What is wrong, in a word that does not change."""

    UNREADABLE = "unreadable"
    DUPLICATE_KEY = "duplicate-key"
    OTHER_TYPE = "other-type"
    SCHEMA_DOWNGRADED = "schema-downgraded"
    SIDECAR_DIFFERS = "sidecar-differs"
    DOES_NOT_VERIFY = "does-not-verify"
    OTHER_SPELLING = "other-spelling"
    UNSIGNED = "unsigned"
    UNSIGNED_BESIDE_SIGNED = "unsigned-beside-signed"
    ENVELOPE_ALONE = "envelope-alone"
    ENVELOPE_UNREADABLE = "envelope-unreadable"
    ENVELOPE_SPELLING = "envelope-spelling"
    SIGNED_TWICE = "signed-twice"
    PAYLOAD_TYPE = "payload-type"
    PAYLOAD_DIFFERS = "payload-differs"
    UNKNOWN_KEY = "unknown-key"
    BAD_SIGNATURE = "bad-signature"
    POLICY_EXPIRED = "policy-expired"
    NO_RULE = "no-rule"
    LEVEL_NOT_ALLOWED = "level-not-allowed"
    HOST_NOT_ALLOWED = "host-not-allowed"
    KEY_NOT_ALLOWED = "key-not-allowed"
    KEY_EXPIRED = "key-expired"
    RECORD_AFTER_KEY = "record-after-key"
    TOO_FEW_KEYS = "too-few-keys"
    RULE_EXPIRED = "rule-expired"
    RECORD_AFTER_RULE = "record-after-rule"
    TOO_OLD = "too-old"
    FROM_THE_FUTURE = "from-the-future"
    NO_SUCH_FALSIFIER = "no-such-falsifier"
    OTHER_INPUTS = "other-inputs"
    MISSING = "missing"


MEANINGS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.UNREADABLE: "the record cannot be read, or has not the shape of one",
        Reason.DUPLICATE_KEY: "a key stands twice in a file: two readers would read two things",
        Reason.OTHER_TYPE: "it is another kind of statement, or of predicate, than the policy accepts",
        Reason.SCHEMA_DOWNGRADED: "its schema version is older than the policy accepts",
        Reason.SIDECAR_DIFFERS: "a long series is not the one whose digest the record states",
        Reason.DOES_NOT_VERIFY: "a section was altered, or does not follow from the others",
        Reason.OTHER_SPELLING: "the same values are spelled in another way than records are written",
        Reason.UNSIGNED: "no envelope lies beside it, or the envelope has no signature",
        Reason.UNSIGNED_BESIDE_SIGNED: "it is unsigned, and another record of the same falsifier is signed",
        Reason.ENVELOPE_ALONE: "an envelope lies there without its record",
        Reason.ENVELOPE_UNREADABLE: "the envelope cannot be read, or has not the shape of one",
        Reason.ENVELOPE_SPELLING: "the envelope is spelled in another way than envelopes are written",
        Reason.SIGNED_TWICE: "the envelope has two signatures under one key id",
        Reason.PAYLOAD_TYPE: "the envelope says that its payload is no in-toto statement",
        Reason.PAYLOAD_DIFFERS: "the envelope signed other bytes than those of the record beside it",
        Reason.UNKNOWN_KEY: "it is signed only by keys that the policy does not have",
        Reason.BAD_SIGNATURE: "a signature does not verify under the key that it names",
        Reason.POLICY_EXPIRED: "the whole policy has expired",
        Reason.NO_RULE: "no rule of the policy is about this falsifier",
        Reason.LEVEL_NOT_ALLOWED: "no rule about this falsifier takes evidence of this level",
        Reason.HOST_NOT_ALLOWED: "no rule about this falsifier takes evidence of this host class or device",
        Reason.KEY_NOT_ALLOWED: "the keys that signed may not sign for this falsifier, level and host",
        Reason.KEY_EXPIRED: "the keys that signed have expired today",
        Reason.RECORD_AFTER_KEY: "the record was made after the keys that signed had expired",
        Reason.TOO_FEW_KEYS: "fewer keys signed than the rule asks for",
        Reason.RULE_EXPIRED: "the rule has expired today",
        Reason.RECORD_AFTER_RULE: "the record was made after the rule had expired",
        Reason.TOO_OLD: "the record is older than the rule takes",
        Reason.FROM_THE_FUTURE: "the record says that it will be made",
        Reason.NO_SUCH_FALSIFIER: "no contract of the tree has this falsifier",
        Reason.OTHER_INPUTS: "it was made from another clause, check or artefact than those of the tree",
        Reason.MISSING: "the policy requires evidence that is not there",
    }
)
"""What each word means; docs/how-to/sign-evidence.md has the same list."""


@dataclasses.dataclass(frozen=True)
class Refusal:
    """One thing that is wrong with what lies at `name`, relative to the project."""

    name: str
    reason: Reason
    why: str
    """One sentence without a full stop: exactly what is wrong here."""
