"""API Gateway of the local cloud: what APIs there are, and which function each of their routes invokes."""
