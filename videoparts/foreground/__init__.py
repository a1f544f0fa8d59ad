"""Which patches are on the object: evidence, and a probe that a clip teaches itself."""
