"""The command line `packnet`: arguments in, lines and an exit status out.

Never here: Textual, and the work itself (`packnet_core`).
"""
