"""Two pictures beside each other: correspondences, similarity, points (paper, sections 4 and 5)."""
