"""What clients send: fields and their meaning, and what is refused."""
