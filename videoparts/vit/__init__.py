"""A DINO ViT as an extractor: `extractor.ViTExtractor`, its weights, and blocks as fast as the machine allows."""
