"""Checks of model files: they measure, and contracts judge."""
