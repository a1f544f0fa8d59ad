"""Optical flow between frames, from `dense` to `links`; scores carried (`carrying`) and averaged (`window`) by it."""
