"""Stands in for seaborn, which trixi imports and does not use here."""
