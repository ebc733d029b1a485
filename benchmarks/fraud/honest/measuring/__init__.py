"""What the honest project measures."""
