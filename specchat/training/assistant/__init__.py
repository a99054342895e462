"""The assistant's training: made-up companies, their customers, and an adapter that learns to
quote the page it is given."""
