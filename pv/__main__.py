"""``python -m pv``."""

from __future__ import annotations

import sys

from pv.cli import main

sys.exit(main())
