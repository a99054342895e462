"""The target model: loaded, run on packed steps, with paged attention."""
