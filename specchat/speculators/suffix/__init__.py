"""Drafts from earlier text: what followed the same words before."""
