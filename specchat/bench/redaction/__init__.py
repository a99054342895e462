"""How much personal data redaction finds, on made-up messages."""
