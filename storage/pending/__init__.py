"""Changes on their way into the database, and where they wait while it does not take them."""
