"""Draft trees: asked of the speculators, merged into one, verified together."""
