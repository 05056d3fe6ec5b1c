"""The load engine: sends requests on schedule and records what came back; knows no Locust."""
