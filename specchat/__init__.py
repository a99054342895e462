"""specchat: a customer-care chat on a speculative-decoding engine with a paged KV cache."""
