"""The race tab: one question, plain and speculative, live and as a replay."""
