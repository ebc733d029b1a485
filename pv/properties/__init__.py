"""Obligations of a standard type, measured without code of the user: a falsifier's ``property:``.

What a clause says is read by `stated`; what each type claims is in `laws`. A finite domain is tried whole
(`domains`), another is drawn from by hypothesis (`drawing`), and integer arithmetic is proved for all sizes
by an SMT solver (`translate`, `proof`). `mutants` are the counter-examples, `measure` records.
"""
