"""Are the answers right? Conversations with what their answers must and must not say."""
