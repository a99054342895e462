"""The chat tab and its sidebar: what a customer sees."""
