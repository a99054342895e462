"""What runs inside a peer's own environment: nothing of specchat can be imported there."""
