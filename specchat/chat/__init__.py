"""Conversation to prompt, grounding, slots, redaction and hand-off."""
