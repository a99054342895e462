"""What the HTTP API costs beside the engine that answers behind it."""
