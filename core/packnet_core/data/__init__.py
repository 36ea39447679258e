"""Labelled images: where they come from, how they are split, and batches of them.

Never here: networks and tasks.
"""
