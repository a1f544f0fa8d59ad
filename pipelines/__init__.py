"""The chains of stages, and the command line: one file a command."""
