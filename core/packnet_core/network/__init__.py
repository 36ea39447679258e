"""The network in memory: architectures, owners of weights, pruning, one task's view, digests.

Never here: files, data, training.
"""
