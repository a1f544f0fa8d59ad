"""What a run keeps in its output folder, and the manifest that tells of it."""
