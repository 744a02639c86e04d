"""What is applied becomes durable: an append-only journal, folded back into Visdom's own files (docs/durability.md)."""
