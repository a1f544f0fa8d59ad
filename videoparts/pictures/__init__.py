"""Pictures that do not follow each other: their features, and what they have in common (`cosegment`)."""
