"""The page that a browser loads: templates, static files, and the libraries it needs."""
