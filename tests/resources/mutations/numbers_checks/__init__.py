"""Checks about numbers."""
