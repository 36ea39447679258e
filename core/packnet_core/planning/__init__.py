"""Arithmetic on counts: what fits, what it takes on disk, what share of a gap is closed.

Never here: weights, images, training.
"""
