"""Are instructions followed that are not the company's? Put into pages, orders and questions."""
