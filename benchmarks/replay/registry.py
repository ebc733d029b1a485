"""All defects, by the number that the list has them under."""

from __future__ import annotations

from benchmarks.replay.claims import CLAIMS
from benchmarks.replay.computing import COMPUTING
from benchmarks.replay.defect import Defect
from benchmarks.replay.evidence import EVIDENCE
from benchmarks.replay.files import FILES
from benchmarks.replay.measuring import MEASURING
from benchmarks.replay.reporting import REPORTING
from benchmarks.replay.training import TRAINING

__all__ = ["DEFECTS"]

_FAMILIES = (COMPUTING, MEASURING, FILES, TRAINING, REPORTING, CLAIMS, EVIDENCE)
DEFECTS: dict[int, Defect] = dict(sorted(each for family in _FAMILIES for each in family.items()))
