"""Training and evaluation of one network: the loop, the guarded optimizer, learning rates, the best epoch.

Never here: pack files, and the list of a job's phases.
"""
