"""Typed values, without torch: the document in a pack file's header, commands, events, recipes.

Never here: reading or writing files, and what commands do.
"""
