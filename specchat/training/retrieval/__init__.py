"""Is the right page found? Made-up companies, their pages and questions, measured and learned."""
