"""Token ids in, token ids out, with statistics: a speculative engine on a paged KV cache."""
