"""``python -m pv_runtime.defects [MODEL]``: the tables of planted defects.

Ends with 1 if more than two defects of a decoder are missed, or one of training.
"""

from __future__ import annotations

import sys

from pv_runtime.defects.table import lines, rows
from pv_runtime.defects.training import caught, training_lines
from pv_runtime.formats import open_checkpoint

_MISSES = 2


def main(arguments: list[str]) -> int:
    """Print the table for a trained model of several key heads, the shipped one by default."""
    found = list(rows(open_checkpoint(arguments[0] if arguments else "models/tiny-qwen2-7to1")))
    print("\n".join(lines(found)))
    trained = caught()
    print("\n".join(["", *training_lines(trained)]))
    missed = sum(not each.hit for each in found if not each.harmless)
    alarmed = any(not each.hit for each in found if each.harmless)
    return int(missed > _MISSES or alarmed or not all(each.hit for each in trained))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
