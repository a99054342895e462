"""The `specchat ...` commands. Thin: each reads its options and calls the part it is for."""
