"""Files and folders that appear whole or not at all: one file by `atomic`, all that a run makes by `transaction`."""
