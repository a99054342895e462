"""The support desk: customers who wait for a person."""
