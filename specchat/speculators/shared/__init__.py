"""What several speculators need."""
