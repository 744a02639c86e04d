"""One server: what is asked of it, which answers are its own, and how long it has been away."""
