"""What the log of a server says: degraded service once for each client and cause, and nothing that keeps the loop waiting."""
