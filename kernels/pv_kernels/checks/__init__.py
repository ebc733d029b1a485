"""Checks of kernels: they measure, and the rules in the contracts judge."""
