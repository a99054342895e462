"""From logits to tokens: distributions, seeded noise, and both verification rules."""
