"""Speculators: each proposes a draft tree; none can change the answer."""
