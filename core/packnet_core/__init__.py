"""PackNet: many tasks in one network, by iterative pruning (Mallya & Lazebnik, CVPR 2018).

Importing this package is cheap; what needs torch is imported where it is used.
"""
