"""Answers on their way: by the model itself or by the assistant, and how they are written."""
