"""What the benchmarks share: servers, clients, producers, results and the report."""
