"""The workbench `packnet-tui`: the Textual application, its keys and actions, and its link to the engine.

Never here: torch, and the values that are shown (`state`).
"""
