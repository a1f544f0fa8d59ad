"""Sets of pictures that do not follow each other: their features, what they have in common."""
