"""What opens over the workbench: forms, questions, help."""
