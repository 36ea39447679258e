"""How a command is done on a pack file: rules, phases, journal.

Never here: processes and sockets (`engine`), and what a terminal shows.
"""
