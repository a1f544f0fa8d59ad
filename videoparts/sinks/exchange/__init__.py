"""Formats of other programs: COCO, CVAT, Cryptomatte, NumPy."""
