"""Pictures that masks, components, correspondences and similarities become."""
