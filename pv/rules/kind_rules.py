"""The rules for contracts of one kind, and for stories, by code. Imported late."""

from __future__ import annotations

from pv.rules.beat_block import beat_block
from pv.rules.beat_compute import beat_compute
from pv.rules.beat_direction import beat_direction
from pv.rules.beat_gate import beat_gate
from pv.rules.beat_incumbent import beat_incumbent
from pv.rules.beat_metric import beat_metric
from pv.rules.beat_threshold import beat_threshold
from pv.rules.competitor import competitor
from pv.rules.demand_score import demand_score
from pv.rules.kaizen_claim import kaizen_claim
from pv.rules.kaizen_cost import kaizen_cost
from pv.rules.kaizen_identity import kaizen_identity
from pv.rules.kaizen_movement import kaizen_movement
from pv.rules.kaizen_pair import kaizen_pair
from pv.rules.kaizen_status import kaizen_status
from pv.rules.rule import Rule

__all__ = ["KIND_RULES"]

KIND_RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        beat_block,
        beat_incumbent,
        beat_metric,
        beat_direction,
        beat_threshold,
        beat_gate,
        beat_compute,
        demand_score,
        competitor,
        kaizen_identity,
        kaizen_status,
        kaizen_claim,
        kaizen_pair,
        kaizen_movement,
        kaizen_cost,
    )
}
