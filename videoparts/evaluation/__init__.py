"""How good masks are, against annotated ones."""
