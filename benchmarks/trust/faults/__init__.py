"""Faults at every system call that changes a folder: what may fail, fails once at each of them.

See :mod:`benchmarks.trust.faults.injection` for what must hold, and ``python -m benchmarks.trust.faults``.
"""
