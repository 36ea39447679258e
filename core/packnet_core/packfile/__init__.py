"""The pack file: its header, reading, writing."""
