"""The parts of an object: a tree of them, and the part model that is applied to every frame."""
