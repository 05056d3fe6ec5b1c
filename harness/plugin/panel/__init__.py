"""The Canary tab of Locust's web page, and the same as JSON."""
