"""Edits of masks that are there already: `edits` as people give them, `edited` masks."""
