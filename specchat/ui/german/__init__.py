"""The German of the page; the keys are the English texts."""
