"""The dashboard: what the store holds, drawn, and recorded measurements."""
