"""The load engine: when to send, what to send, an HTTP client (`client/`), and a record of every answer; no Locust."""
