"""The colours of parts, and what is painted with them; effects on what a matte covers."""
