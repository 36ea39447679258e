"""The panes of the workbench; each one shows a State."""
