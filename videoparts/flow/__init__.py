"""Optical flow between frames, and scores carried and averaged along it."""
