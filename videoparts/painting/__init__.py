"""The colours of parts and what is painted with them, and effects on what a matte covers."""
