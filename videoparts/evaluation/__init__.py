"""How good masks are: `metrics` on arrays, `folders` of masks against annotated ones."""
