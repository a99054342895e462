"""IBM's MLP speculator: future tokens conditioned on each other."""
