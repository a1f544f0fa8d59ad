"""Frames drawn from clips in pass 1, and what is noted of each: descriptors, saliency, motion, the user's marks."""
