"""Where masks end: an overlay video, label images. One file a format; every output appears only when complete."""
