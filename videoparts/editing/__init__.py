"""Edits of masks that are there already."""
