"""Training of decoders, from a checkpoint or from nothing.

``settings`` says what is asked, ``prepare`` checks all of it before anything is made, and ``loop`` trains.
"""
