"""Triton kernels, one file each, beside their reference and their specification."""
