"""Who may ask: host, origin and body size, logins, and read-only servers."""
