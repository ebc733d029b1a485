"""The recipe of the shipped models: ``PYTHONPATH=models python -m recipe`` rebuilds both.

Read in this order: `corpus` (what text), `tokenizer` (what symbols), `decoder` (what network),
`train` (how it learns), `export` (what is written), `card` (what is stated), `pair` (the
quantised file and its twin).
"""
