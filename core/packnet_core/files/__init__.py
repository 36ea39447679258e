"""Files as bytes: replaced whole or not at all, and the safetensors container.

Never here: what a pack file, a checkpoint or a result means.
"""
