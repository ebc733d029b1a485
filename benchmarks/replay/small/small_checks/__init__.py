"""Checks of the replay's small project."""
