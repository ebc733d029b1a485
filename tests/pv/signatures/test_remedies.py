from __future__ import annotations

from pv.signatures.reasons import Reason
from pv.signatures.remedies import remedy

OF_MORE = {Reason.ENVELOPE_ALONE, Reason.NO_SUCH_FALSIFIER, Reason.OTHER_INPUTS, Reason.MISSING}
"""Of no record, or of a record and the tree: statuses have words of their own for these."""


def test_every_reason_that_a_record_can_be_refused_for_has_a_step() -> None:
    for reason in set(Reason) - OF_MORE:
        assert "{" not in remedy(reason, "small-v1#FALSIFY-SMALL-001"), reason
    step = remedy(Reason.UNSIGNED, "small-v1#FALSIFY-SMALL-001")
    assert step.endswith("pv evidence sign small-v1#FALSIFY-SMALL-001 --key KEY")
