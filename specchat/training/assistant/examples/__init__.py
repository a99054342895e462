"""Examples without end: made-up companies, their pages and customers, and answers that quote."""
