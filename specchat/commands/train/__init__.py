"""`specchat train ...`."""
