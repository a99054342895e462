"""EAGLE-3: one decoder layer on the target's inner states."""
