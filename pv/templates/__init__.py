"""What `pv init` writes."""
