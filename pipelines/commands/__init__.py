"""The commands, one a file: what each is told on the command line, and its run."""
