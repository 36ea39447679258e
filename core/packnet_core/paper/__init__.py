"""The paper's tables and figures as experiments on any data: lists of cells, each computed once and stored.

Never here: the methods that are compared (`jobs`, `baselines`).
"""
