"""Side-by-side measurement: plain against speculative decoding on one engine."""
