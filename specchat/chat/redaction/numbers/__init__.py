"""Numbers that are personal, and those that a record is about."""
