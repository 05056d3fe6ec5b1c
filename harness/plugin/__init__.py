"""The only room that knows Locust."""
