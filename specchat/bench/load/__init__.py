"""Load tests: several ways of serving under the same traffic, side by side."""
