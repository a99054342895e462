"""Drafters trained on a frozen target, of any family."""
