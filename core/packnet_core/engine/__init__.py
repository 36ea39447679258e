"""The engine, a process that holds a file's lock and network and does queued commands, and its client.

Never here: what a command does (`jobs`).
"""
