"""Widgets. Each draws a part of the picture (`state.picture`).

Never here: journal, engine, arithmetic.
"""
