"""The core on tornado: WebSocket and long-poll links, the stock dialect, and the timers that drive a hub."""
