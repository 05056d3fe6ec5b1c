"""The only room that knows Locust: its options, its users, the roles of its processes, and the Canary page."""
