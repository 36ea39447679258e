"""The engine: the process that holds the network and does the work, its journal, and how to reach it."""
