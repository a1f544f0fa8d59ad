"""Principal components of descriptors, as pictures (paper, section 3)."""
