"""What was said: kept, learned from, exported, and gone in time."""
