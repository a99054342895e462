"""Several engines as one, under Ray Serve."""
