"""The paper's tables and figures as experiments: lists of cells, each computed once and kept, on any data.

Never here: methods themselves (`jobs`, `baselines`).
"""
