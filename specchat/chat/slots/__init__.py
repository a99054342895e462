"""Placeholders in which the bundled model writes what belongs to one customer."""
