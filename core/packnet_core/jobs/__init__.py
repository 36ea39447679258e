"""A command done on a pack file: its rules, its phases, its journal.

Never here: processes and sockets (`engine`), and what a terminal shows.
"""
