"""Faults: full disks, killed processes, damaged images, signals, absurd journals."""
