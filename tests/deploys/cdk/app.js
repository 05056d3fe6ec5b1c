const cdk = require("aws-cdk-lib");
const apigateway = require("aws-cdk-lib/aws-apigateway");
const cloudwatch = require("aws-cdk-lib/aws-cloudwatch");
const codedeploy = require("aws-cdk-lib/aws-codedeploy");
const lambda = require("aws-cdk-lib/aws-lambda");

const env = { account: process.env.CDK_DEFAULT_ACCOUNT, region: process.env.CDK_DEFAULT_REGION };
const stack = new cdk.Stack(new cdk.App(), "basket", { env });
const handler = new lambda.Function(stack, "Basket", {
  runtime: lambda.Runtime.NODEJS_20_X,
  handler: "index.handler",
  code: lambda.Code.fromAsset("code"),
});
const alias = new lambda.Alias(stack, "Live", { aliasName: "Live", version: handler.currentVersion });
const errors = alias.metricErrors({ period: cdk.Duration.minutes(1), statistic: "Sum" });
const alarm = new cloudwatch.Alarm(stack, "Errors", { metric: errors, threshold: 3, evaluationPeriods: 1 });
new codedeploy.LambdaDeploymentGroup(stack, "Group", {
  alias,
  alarms: [alarm],
  deploymentConfig: codedeploy.LambdaDeploymentConfig.CANARY_10PERCENT_5MINUTES,
});
const api = new apigateway.LambdaRestApi(stack, "Api", { handler: alias });
new cdk.CfnOutput(stack, "Url", { value: api.url });
