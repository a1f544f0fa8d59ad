"""Where the object is: `finding` decides it, from `evidence` or by vote, and `teaching` makes a probe of it."""
