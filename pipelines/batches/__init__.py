"""Many clips in one run: finding, planning, keeping books, and sharing out the work."""
