"""Pages of keys and values: who holds them, what is reused, how much memory they get."""
