"""Other engines beside ours: the same prompts on the same weights, each in its own environment."""
