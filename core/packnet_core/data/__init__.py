"""Labelled images: their sources, their splits, and batches of them for training.

Never here: networks and tasks.
"""
