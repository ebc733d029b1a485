"""Sub-commands of ``apr``: importing one is cheap, running it imports what it needs."""
