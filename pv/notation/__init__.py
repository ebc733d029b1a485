"""Formulas as contracts write them, in plain text and Unicode, and the same in LaTeX and MathML.

What cannot be read for certain stays as it was written: see :mod:`pv.notation.reader`.
"""

from __future__ import annotations

from pv.notation.latex import Segment, latex, segments, verbatim

__all__ = ["Segment", "latex", "segments", "verbatim"]
