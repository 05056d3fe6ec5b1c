// Reports to CodeDeploy by its JSON protocol, as its SDK does, which the runtime of AWS brings along.
const http = require("node:http");

exports.handler = (event) =>
  new Promise((done, failed) => {
    const headers = {
      "Content-Type": "application/x-amz-json-1.1",
      "X-Amz-Target": "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus",
      Authorization: "AWS4-HMAC-SHA256 Credential=hook/20260101/here/codedeploy/aws4_request, SignedHeaders=host, Signature=0",
    };
    const request = http.request(process.env.AWS_ENDPOINT_URL, { method: "POST", headers }, (answer) => answer.resume().on("end", done));
    request.on("error", failed);
    const { DeploymentId: deploymentId, LifecycleEventHookExecutionId: lifecycleEventHookExecutionId } = event;
    request.end(JSON.stringify({ deploymentId, lifecycleEventHookExecutionId, status: "Succeeded" }));
  });
