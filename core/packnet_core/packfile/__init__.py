"""The pack file and the files beside it: header, tensors, checkpoint, paths and lock; create, verify, export.

Never here: what a job does next.
"""
