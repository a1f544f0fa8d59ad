"""The parts of an object: a `tree` of them, and `model.PartModel`, which is applied to every frame."""
