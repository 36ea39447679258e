"""Widgets: what draws. Each is a function of the picture (`state.picture`).

Never here: journal, engine, arithmetic.
"""
