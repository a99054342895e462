"""What lets somebody in: passwords, codes, keys; and where a computer is."""
