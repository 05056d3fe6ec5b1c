"""A run on several machines, written for engines that exist: operators for Kubernetes, Compose, and Fargate."""
