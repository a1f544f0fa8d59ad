"""A DINO ViT as an extractor: weights, blocks that are as fast as the machine allows, descriptors."""
