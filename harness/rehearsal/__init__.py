"""A local cloud that behaves as CodeDeploy, CloudWatch, Lambda and API Gateway do, in compressed time."""
