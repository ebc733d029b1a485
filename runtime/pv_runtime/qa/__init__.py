"""Twelve gates that a model passes before it is handed on; each passed, failed, or was declined."""
