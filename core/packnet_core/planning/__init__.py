"""Arithmetic on counts and errors: how many tasks fit, sizes on disk, the share of an error gap that is closed.

Never here: weights, images, training.
"""
