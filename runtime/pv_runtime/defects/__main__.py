"""``python -m pv_runtime.defects [MODEL]``: the table of planted defects; 1 if more than two are missed."""

from __future__ import annotations

import sys

from pv_runtime.defects.table import lines, rows
from pv_runtime.formats import open_checkpoint

_MISSES = 2


def main(arguments: list[str]) -> int:
    """Print the table for a trained model of several key heads, the shipped one by default."""
    found = list(rows(open_checkpoint(arguments[0] if arguments else "models/tiny-qwen2-7to1")))
    print("\n".join(lines(found)))
    missed = sum(not each.hit for each in found if not each.harmless)
    return int(missed > _MISSES or any(not each.hit for each in found if each.harmless))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
