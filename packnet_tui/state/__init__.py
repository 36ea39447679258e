"""What the screen and the command line show, as values: folded from header and journal, and put into words.

Never here: Textual, torch, and anything that changes a file.
"""
