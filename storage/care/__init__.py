"""Customer care: feedback, hand-offs, orders."""
