"""The commands of `specchat bench`."""
