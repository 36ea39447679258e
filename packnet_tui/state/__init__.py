"""What the screen and the command line show, as values and words, made from header and journal.

Never here: Textual, torch, and anything that changes a file.
"""
