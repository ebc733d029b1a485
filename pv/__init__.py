"""A contract-verification engine: contract, falsifier, check, verdict, evidence. PYTEST_DONT_REWRITE.

The last word is for pytest, whose plugin pv is: where the engine runs a test, pv was imported before, and
pytest would warn that it cannot rewrite its assertions.
"""

from __future__ import annotations

__version__ = "0.1.0"
