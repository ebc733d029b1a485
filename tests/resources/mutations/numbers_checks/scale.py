"""By how much distances are scaled."""

SCALE = 1.0
"""Not at all."""
