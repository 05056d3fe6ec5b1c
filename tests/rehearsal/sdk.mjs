// Makes the calls of AWS's SDK for JavaScript that it reads from stdin, a line of JSON each, and prints each answer.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [folder, endpoint, cbor] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const protocol = cbor && require("@smithy/core/cbor").SmithyRpcV2CborProtocol;
const NAMES = { cloudwatch: "CloudWatchClient", codedeploy: "CodeDeployClient", lambda: "LambdaClient" };
const clients = {};

function client(service) {
  const sdk = require(`@aws-sdk/client-${service}`);
  const credentials = { accessKeyId: "any", secretAccessKey: "any" };
  const options = { endpoint, region: "eu-north-1", credentials, maxAttempts: 1 };
  if (protocol && service !== "lambda") options.protocol = protocol; // Lambda has REST alone
  clients[service] ??= [sdk, new sdk[NAMES[service]](options)];
  return clients[service];
}

for await (const line of createInterface({ input: process.stdin })) {
  const { service, operation, input } = JSON.parse(line);
  const [sdk, made] = client(service);
  try {
    const { $metadata, ...answer } = await made.send(new sdk[`${operation}Command`](input));
    console.log(JSON.stringify(answer));
  } catch (error) {
    console.log(JSON.stringify({ error: error.name }));
  }
}
