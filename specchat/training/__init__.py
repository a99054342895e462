"""Corpus, tokenizer, target, speculators: how the bundled `care` models are made."""
