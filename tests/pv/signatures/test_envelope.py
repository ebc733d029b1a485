from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.evidence import spelled
from pv.signatures.envelope import PAYLOAD_TYPE, EnvelopeError, Signed, envelope_bytes, read_envelope
from pv.signatures.reasons import Reason

ONE = Signed(b'{"a": 1}', PAYLOAD_TYPE, (("k1", b"one"), ("k2", b"two")))
SIGNED = st.builds(
    Signed,
    st.binary(),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.binary()).map(
        lambda found: tuple(sorted(found.items()))
    ),
)


@given(SIGNED)
def test_what_is_written_is_read(signed: Signed) -> None:
    assert read_envelope("e", envelope_bytes(signed)) == signed


@given(st.data())
def test_a_changed_byte_is_an_error_or_another_envelope(data: st.DataObject) -> None:
    whole = bytearray(envelope_bytes(ONE))
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[at]))
    whole[at] = byte
    found = None
    with contextlib.suppress(EnvelopeError):
        found = read_envelope("e", bytes(whole))
    assert found != ONE


def test_it_is_the_envelope_that_other_tools_read() -> None:
    dsse = pytest.importorskip("securesystemslib.dsse", reason="the extra sign is not installed")
    theirs = dsse.Envelope.from_dict(
        json.loads(envelope_bytes(Signed(ONE.payload, PAYLOAD_TYPE, (("aa", b"\1\2"),))))
    )
    assert (theirs.payload, theirs.payload_type) == (ONE.payload, PAYLOAD_TYPE)
    assert theirs.signatures["aa"].signature == "0102"


def changed(**changes: object) -> bytes:
    return spelled({**json.loads(envelope_bytes(ONE)), **changes})


@pytest.mark.parametrize(
    ("data", "reason", "why"),
    [
        (b"\xff", Reason.ENVELOPE_UNREADABLE, "not strict JSON"),
        (b"[]", Reason.ENVELOPE_UNREADABLE, "no object"),
        (b"{}", Reason.ENVELOPE_UNREADABLE, "it has no 'payload'"),
        (changed(payload=7), Reason.ENVELOPE_UNREADABLE, "no text"),
        (changed(payload="YQ"), Reason.ENVELOPE_UNREADABLE, "not base64"),
        (changed(payload="_w=="), Reason.ENVELOPE_UNREADABLE, "not base64"),
        (changed(payload="Y Q=="), Reason.ENVELOPE_UNREADABLE, "not base64"),
        (changed(payload="YR=="), Reason.ENVELOPE_SPELLING, "another way"),
        (changed(signatures=7), Reason.ENVELOPE_UNREADABLE, "iterable"),
        (changed(signatures=[{"sig": "YQ=="}]), Reason.ENVELOPE_UNREADABLE, "it has no 'keyid'"),
        (changed(more=1), Reason.ENVELOPE_UNREADABLE, "'more', which no signature covers"),
        (changed(signatures=[{"keyid": "k", "sig": "YQ=="}] * 2), Reason.SIGNED_TWICE, "two signatures"),
        (b'{"payload":"","payload":""}', Reason.DUPLICATE_KEY, "key 'payload' stands twice"),
        (json.dumps(json.loads(changed())).encode(), Reason.ENVELOPE_SPELLING, "another way"),
        (b'{"payload": "", "payloadType": "\\ud800", "signatures": []}', Reason.ENVELOPE_SPELLING, "another"),
    ],
)
def test_an_envelope_that_is_none_is_refused_by_its_reason(data: bytes, reason: Reason, why: str) -> None:
    with pytest.raises(EnvelopeError, match=why) as caught:
        read_envelope("e.dsse.json", data)
    assert caught.value.reason is reason
    assert caught.value.what.startswith("e.dsse.json")


def test_signatures_are_in_one_order() -> None:
    turned = Signed(ONE.payload, PAYLOAD_TYPE, tuple(reversed(ONE.signatures)))
    assert envelope_bytes(turned) == envelope_bytes(ONE)
    assert base64.b64decode(json.loads(envelope_bytes(ONE))["payload"]) == ONE.payload
