"""Nothing imports this."""

UNUSED = 1
