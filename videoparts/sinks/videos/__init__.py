"""Videos that masks, effects and components become."""
