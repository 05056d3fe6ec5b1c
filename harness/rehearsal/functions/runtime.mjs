// The inside of an execution environment of Node: imports one function and runs it, one event at a time.
//
// It speaks as runtime.py does: `node runtime.mjs FD`, where FD is a socket to the cloud that carries frames of four
// bytes of length and as many bytes, always in pairs of JSON and a body. Error payloads are those of AWS's Node runtime.

import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import process from "node:process";
import Module, { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { format } from "node:util";

const EXTENSIONS = ["", ".js", ".mjs", ".cjs"];
const OF_AWS = /^@(aws-sdk|smithy)\//;
const BROUGHT = process.env.CANARY_HARNESS_SDK;
delete process.env.CANARY_HARNESS_SDK;
const RESOLVING = `
let parentURL;
export const initialize = (folder) => { parentURL = folder; };
export async function resolve(specifier, context, next) {
  try { return await next(specifier, context); } catch (error) {
    if (!${OF_AWS}.test(specifier)) throw error;
    return next(specifier, { ...context, parentURL });
  }
}`;
const link = new net.Socket({ fd: Number(process.argv[2]) });
const waiting = [];
let received = Buffer.alloc(0);
let requestId = "undefined";

link.on("data", (bytes) => {
  received = Buffer.concat([received, bytes]);
  serveWaiting();
});
link.on("close", () => process.exit(0));
link.on("error", () => process.exit(0));

function serveWaiting() {
  while (waiting.length && received.length >= 4 && received.length >= 4 + received.readUInt32BE(0)) {
    const end = 4 + received.readUInt32BE(0);
    const frame = received.subarray(4, end);
    received = received.subarray(end);
    waiting.shift()(frame);
  }
}

function receive() {
  return new Promise((resolve) => {
    waiting.push(resolve);
    serveWaiting();
  });
}

function send(...frames) {
  for (const frame of frames) {
    const head = Buffer.alloc(4);
    const bytes = Buffer.from(frame);
    head.writeUInt32BE(bytes.length);
    link.write(Buffer.concat([head, bytes]));
  }
}

class NoEntryError extends Error {
  constructor(kind, message, trace = []) {
    super(message);
    this.failure = { errorType: kind, errorMessage: message, trace };
  }
}

function fileOf(name) {
  const found = EXTENSIONS.map((extension) => name + extension).find((file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile());
  if (found) return found;
  throw new NoEntryError("Runtime.ImportModuleError", `Error: Cannot find module '${path.basename(name)}'`);
}

// Has both kinds of modules find the packages that AWS's Node brings with it, after the function's own.
function bringPackages(folder) {
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    try {
      return resolve.call(this, request, ...rest);
    } catch (error) {
      if (!OF_AWS.test(request)) throw error;
      return resolve.call(this, request, null, false, { paths: [folder] });
    }
  };
  const hooks = `data:text/javascript,${encodeURIComponent(RESOLVING)}`;
  Module.register?.(hooks, { data: pathToFileURL(path.join(folder, "package.json")).href });
}

async function moduleOf(name) {
  const file = fileOf(name);
  try {
    return isModule(file) ? await import(pathToFileURL(file)) : createRequire(file)(file);
  } catch (error) {
    if (error?.code === "MODULE_NOT_FOUND" || error?.code === "ERR_MODULE_NOT_FOUND") {
      throw new NoEntryError("Runtime.ImportModuleError", `Error: ${error.message}`, trace(error));
    }
    if (error instanceof SyntaxError) throw new NoEntryError("Runtime.UserCodeSyntaxError", String(error), trace(error));
    throw new NoEntryError(kindOf(error), messageOf(error), trace(error));
  }
}

function isModule(file) {
  if (path.extname(file) !== ".js") return path.extname(file) === ".mjs";
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const manifest = path.join(folder, "package.json");
    if (fs.existsSync(manifest)) return JSON.parse(fs.readFileSync(manifest, "utf8")).type === "module";
    if (folder === path.dirname(folder)) return false;
  }
}

async function load(root, entry) {
  const folder = path.dirname(entry);
  const [name, ...properties] = path.basename(entry).split(".");
  if (!properties.length) throw new NoEntryError("Runtime.MalformedHandlerName", "Bad handler");
  const loaded = await moduleOf(path.resolve(root, folder, name));
  let found = loaded;
  for (const property of properties) found = found?.[property] ?? found?.default?.[property];
  if (typeof found === "function") return found;
  throw new NoEntryError("Runtime.HandlerNotFound", `${entry} is undefined or not exported`);
}

function kindOf(error) {
  return error instanceof Error || error?.name ? error.name : typeof error;
}

function messageOf(error) {
  return error instanceof Error || error?.message !== undefined ? String(error.message) : String(error);
}

function trace(error) {
  return String(error?.stack ?? "").split("\n").filter((line) => line && !line.includes(import.meta.url) && !line.includes(process.argv[1]));
}

function failureOf(error) {
  return { errorType: kindOf(error), errorMessage: messageOf(error), trace: trace(error) };
}

function logged(level, text) {
  fs.writeSync(1, `${new Date().toISOString()}\t${requestId}\t${level}\t${text.replaceAll("\n", "\r")}\n`);
}

function patchConsole() {
  const levels = { log: "INFO", info: "INFO", debug: "DEBUG", trace: "TRACE", warn: "WARN", error: "ERROR", fatal: "FATAL" };
  for (const [name, level] of Object.entries(levels)) console[name] = (...words) => logged(level, format(...words));
}

function contextOf(invocation, settle) {
  const deadline = performance.now() + invocation.timeout_s * 1000;
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: invocation.function_name,
    functionVersion: invocation.function_version,
    invokedFunctionArn: invocation.invoked_function_arn,
    memoryLimitInMB: invocation.memory_limit_in_mb,
    awsRequestId: invocation.aws_request_id,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    getRemainingTimeInMillis: () => Math.max(0, Math.round(deadline - performance.now())),
    succeed: (result) => settle(null, result),
    fail: (error) => settle(error ?? new Error("handled")),
    done: (error, result) => settle(error, result),
  };
}

// Resolves with what the function gives: by its promise, or by its callback, whichever it uses. One that uses neither
// has ended when nothing is left to wait for, and gives null, as on AWS.
function resultOf(entry, event, invocation) {
  return new Promise((resolve, reject) => {
    const settle = (error, result) => {
      process.off("beforeExit", atRest);
      error === null || error === undefined ? resolve(result) : reject(error);
    };
    const context = contextOf(invocation, settle);
    const atRest = () => settle(null, null);
    const callback = (error, result) => {
      if (!context.callbackWaitsForEmptyEventLoop) return settle(error, result);
      link.unref();
      process.off("beforeExit", atRest);
      process.once("beforeExit", () => settle(error, result));
    };
    const given = entry(event, context, callback);
    if (typeof given?.then === "function") given.then((result) => settle(null, result), (error) => settle(error ?? new Error("null")));
    else {
      link.unref();
      process.once("beforeExit", atRest);
    }
  });
}

async function run(entry, invocation, body) {
  requestId = invocation.aws_request_id;
  try {
    const result = await resultOf(entry, JSON.parse(body), invocation);
    return [false, JSON.stringify(result === undefined ? null : result) ?? "null"];
  } catch (error) {
    const failure = failureOf(error);
    logged("ERROR", `Invoke Error \t${JSON.stringify({ ...failure, stack: failure.trace, trace: undefined })}`);
    return [true, JSON.stringify(failure)];
  } finally {
    link.ref();
  }
}

function exitOn(kind, error) {
  const failure = { errorType: kind, errorMessage: messageOf(error), trace: trace(error) };
  logged("ERROR", `${kind === "Runtime.UnhandledPromiseRejection" ? "Unhandled Promise Rejection" : "Uncaught Exception"} \t${JSON.stringify(failure)}`);
  process.exit(kind === "Runtime.UnhandledPromiseRejection" ? 128 : 129);
}

async function serve() {
  const start = JSON.parse(await receive());
  await receive();
  let entry;
  try {
    entry = await load(start.path[0], start.entry);
  } catch (error) {
    const failure = error.failure ?? failureOf(error);
    logged("ERROR", `Uncaught Exception \t${JSON.stringify(failure)}`);
    send(JSON.stringify(failure), "");
    await receive();
    return;
  }
  process.on("uncaughtException", (error) => exitOn(kindOf(error), error));
  process.on("unhandledRejection", (error) => exitOn("Runtime.UnhandledPromiseRejection", error));
  send("null", "");
  for (;;) {
    const invocation = JSON.parse(await receive());
    const [failed, payload] = await run(entry, invocation, await receive());
    send(JSON.stringify(failed), payload);
  }
}

patchConsole();
if (BROUGHT) bringPackages(BROUGHT);
serve();
