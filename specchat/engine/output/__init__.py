"""From accepted tokens to what a stream yields."""
