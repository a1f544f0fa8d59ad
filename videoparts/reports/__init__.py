"""What masks look like over a clip, gathered while they stream by."""
