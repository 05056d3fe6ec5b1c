"""Terraform's resources that invoke a function, as those of CloudFormation: what each of them invokes."""

from collections.abc import Mapping

CALLERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "aws_api_gateway_authorizer": ("AWS::ApiGateway::Authorizer", {"AuthorizerUri": "authorizer_uri"}),
    "aws_apigatewayv2_authorizer": ("AWS::ApiGatewayV2::Authorizer", {"AuthorizerUri": "authorizer_uri"}),
    "aws_appsync_datasource": ("AWS::AppSync::DataSource", {"LambdaConfig": "lambda_config"}),
    "aws_cloudwatch_event_target": ("AWS::Events::Rule", {"Targets": "arn"}),
    "aws_cloudwatch_log_subscription_filter": ("AWS::Logs::SubscriptionFilter", {"DestinationArn": "destination_arn"}),
    "aws_cognito_user_pool": ("AWS::Cognito::UserPool", {"LambdaConfig": "lambda_config"}),
    "aws_lambda_event_source_mapping": ("AWS::Lambda::EventSourceMapping", {"FunctionName": "function_name"}),
    "aws_lambda_function_url": (
        "AWS::Lambda::Url",
        {"TargetFunctionArn": "function_name", "Qualifier": "qualifier"},
    ),
    "aws_lb_target_group_attachment": ("AWS::ElasticLoadBalancingV2::TargetGroup", {"Targets": "target_id"}),
    "aws_pipes_pipe": ("AWS::Pipes::Pipe", {"Enrichment": "enrichment", "Target": "target"}),
    "aws_s3_bucket_notification": ("AWS::S3::Bucket", {"NotificationConfiguration": "lambda_function"}),
    "aws_scheduler_schedule": ("AWS::Scheduler::Schedule", {"Target": "target"}),
    "aws_sns_topic_subscription": ("AWS::SNS::Subscription", {"Endpoint": "endpoint"}),
}
"""The type of CloudFormation, and the argument that says each of its properties."""
