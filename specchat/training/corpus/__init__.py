"""Text to train on: read, cleaned, made by the target itself, packed."""
