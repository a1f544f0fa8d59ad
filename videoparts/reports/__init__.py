"""What masks look like over a clip, gathered by `report` while they stream by."""
