"""``python -m pv``."""

from __future__ import annotations

import sys

from pv.start import main

sys.exit(main())
