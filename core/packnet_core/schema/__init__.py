"""Typed values, without torch: what a pack file's header says, commands, events, recipes.

Never here: reading or writing files, and work.
"""
