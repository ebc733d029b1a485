"""Print the largest distance between two tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path

reference, candidate = (json.loads(Path(path).read_text(encoding="utf-8")) for path in sys.argv[1:3])
print(json.dumps({"worst": max(abs(reference[name] - candidate[name]) for name in reference)}))
