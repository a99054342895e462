"""From logits to tokens: distributions, seeded noise, and the walk along drafts."""
