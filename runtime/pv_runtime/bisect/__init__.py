"""Which stage of a model first goes wrong, by how much, and what it looks like."""
