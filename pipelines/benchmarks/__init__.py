"""How fast this machine is at each stage, how fast it could be, and how fast the authors' arrangement is."""
