"""Pretrained weights that come with an installed package, a local directory or the Hub."""
