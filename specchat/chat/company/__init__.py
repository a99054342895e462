"""The shop that the chat speaks for, and its orders and help pages."""
