"""The workbench and the command line."""
