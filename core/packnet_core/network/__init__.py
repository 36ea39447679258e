"""The network in memory: architectures, owners of weights, pruning, task views, digests.

Never here: files, data, training.
"""
