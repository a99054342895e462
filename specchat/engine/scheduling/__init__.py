"""Which requests run in a step, and which wait."""
