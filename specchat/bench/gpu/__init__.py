"""What `specchat bench gpu` checks and measures on a GPU."""
