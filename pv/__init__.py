"""A contract-verification engine: contract, falsifier, check, verdict, evidence."""

from __future__ import annotations

__version__ = "0.1.0"
