"""Everything that depends on httpx: clients, transports, requests, responses and errors."""
