"""From scores of patches to labels and mattes of pixels: `pixels`, along the edges of the frame."""
