"""Tokens from another server: any that speaks OpenAI's API, such as vLLM or our own."""
