"""Remembers how a command ended and what it printed, as long as all that it looked at is as it was.

A remembered end that is not believed costs time; one that is believed wrongly is a false green. So what a
run looks at is not listed from memory: it is watched (:mod:`pv.result_cache.recorder`), and what cannot be
watched is not remembered.
"""
