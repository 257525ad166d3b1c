"""Everything that knows httpx: clients, transports, requests, responses and errors."""
