"""From scores of patches to labels and mattes of pixels."""
