// Runs JavaScript cells in the main thread, as a debugger does: variables stay,
// top-level `await` works, names may be declared anew, and a busy loop can be ended.
// The other thread hears of cells on descriptor 3 and tells of them on 4, as lines of
// JSON; it goes on while a cell keeps the main thread busy.
"use strict";
const { Worker, isMainThread, parentPort } = require("worker_threads");

if (isMainThread) {
  const { createRequire } = require("module");
  const path = require("path");
  const { inspect } = require("util");
  const told = (error) => process.stderr.write(`${inspect(error)}\n`);
  // What fails later than its cell is said, and ends nothing.
  process.on("uncaughtException", told);
  process.on("unhandledRejection", told);
  process.on("SIGINT", () => {});
  globalThis.require = createRequire(path.join(process.cwd(), "cell.js"));
  Object.defineProperty(globalThis, "__sandbook", {
    value: {
      show: (value) => inspect(value),
      json: (value) => {
        const told = JSON.stringify(value);
        const back = told === undefined ? undefined : JSON.parse(told);
        return require("util").isDeepStrictEqual(back, plain(value)) ? told : null;
      },
      error: (value) =>
        value instanceof Error
          ? { name: String(value.name), value: String(value.message), traceback: stack(value) }
          : { name: "Error", value: inspect(value), traceback: "" },
    },
  });
  // As far as the cell: what is below it is ours.
  const stack = (error) => String(error.stack).split(/\n.*node:inspector/)[0];
  const plain = (value) =>
    value !== null && typeof value === "object" && Object.getPrototypeOf(value) === null
      ? { ...value }
      : value;
  // Cells run as calls of ours: what runs as a call from the other thread could not be
  // ended by another such call.
  const { Session } = require("inspector");
  const session = new Session();
  session.connect();
  const worker = new Worker(__filename, { stdin: false });
  worker.on("message", ({ id, method, parameters }) => {
    // Answered only when nothing runs here: so the other thread knows that.
    if (method === undefined) return worker.postMessage({ id });
    session.post(method, parameters, (error, result) => {
      const answer = error ? { failed: error.message } : result;
      worker.postMessage({ id, answer });
    });
  });
} else {
  const PATIENCE = 200; // milliseconds
  const fs = require("fs");
  const { Session } = require("inspector");
  const session = new Session();
  session.connectToMainThread();
  const waiting = new Map();
  let count = 0;
  const ask = (message) =>
    new Promise((done) => {
      waiting.set(++count, done);
      parentPort.postMessage({ id: count, ...message });
    });
  const post = (method, parameters) => ask({ method, parameters });
  parentPort.on("message", ({ id, answer }) => {
    waiting.get(id)(answer);
    waiting.delete(id);
  });
  const tell = (message) => fs.writeSync(4, `${JSON.stringify(message)}\n`);
  const evaluate = (expression) =>
    post("Runtime.evaluate", {
      expression,
      replMode: true,
      awaitPromise: true,
      silent: true,
      objectGroup: "cell",
    });
  const call = async (object, body) => {
    const { result } = await post("Runtime.callFunctionOn", {
      functionDeclaration: `function (value) { return ${body}; }`,
      arguments: [argument(object)],
      executionContextId: 1,
      returnByValue: true,
    });
    return result === undefined ? undefined : result.value;
  };
  const argument = (object) => {
    if (object.objectId) return { objectId: object.objectId };
    if (object.unserializableValue) return { unserializableValue: object.unserializableValue };
    return { value: object.value };
  };

  const fail = async (details) => {
    if (details.failed) return { name: "Interrupted", value: "interrupted", traceback: "" };
    const { exception, text } = details.exceptionDetails;
    const told = exception && (await call(exception, "__sandbook.error(value)"));
    if (told && told.value.startsWith("A dynamic import callback")) {
      told.value = "import() is not to be had in a cell: use require(...)";
    }
    return told || { name: "Error", value: text, traceback: "" };
  };

  let interrupting = null;
  let stop = () => {};
  const settled = (work) =>
    Promise.race([work, new Promise((done) => (stop = () => done({ failed: "interrupted" })))]);
  const within = (milliseconds, work) =>
    Promise.race([work, new Promise((done) => setTimeout(done, milliseconds, "late"))]);

  const idle = async () => (await within(PATIENCE, ask({}))) !== "late";

  // What only waits is left waiting; what keeps the main thread busy is ended. To end
  // what does not run would end what runs next.
  const interrupt = async () => {
    const mine = stop;
    if (!(await idle())) {
      session.post("Runtime.terminateExecution", () => {});
      if (!(await idle())) return; // we are asked again
    }
    mine();
  };

  const bind = async (values) => {
    for (const [name, value] of Object.entries(values)) {
      await post("Runtime.callFunctionOn", {
        functionDeclaration: "function (text) { __sandbook.given = JSON.parse(text); }",
        arguments: [{ value: JSON.stringify(value) }],
        executionContextId: 1,
      });
      const given = await evaluate(`${name} = __sandbook.given`);
      if (given.exceptionDetails) return fail(given);
    }
  };

  const read = async (wanted) => {
    const values = {};
    for (const [name, expression] of Object.entries(wanted)) {
      const found = await settled(evaluate(`(${expression}\n)`));
      if (found.failed || found.exceptionDetails) {
        const why = await fail(found);
        return { why: `${name}: ${why.name}: ${why.value}` };
      }
      const text = await call(found.result, "__sandbook.json(value)");
      if (typeof text !== "string") {
        return { why: `${name}: a value of type '${found.result.className || found.result.type}' does not fit JSON` };
      }
      values[name] = text;
    }
    return { values };
  };

  const run = async ({ source, bind: given, read: wanted }) => {
    const unbound = await bind(given);
    if (unbound) return tell({ failed: unbound, end: true });
    const found = await settled(evaluate(source));
    if (found.failed || found.exceptionDetails) return tell({ failed: await fail(found), end: true });
    if (found.result.type !== "undefined") {
      const text = await call(found.result, "__sandbook.show(value)");
      const json = await call(found.result, "__sandbook.json(value)");
      tell({ main: { text, json: typeof json === "string" ? json : null } });
    }
    const { values, why } = await read(wanted);
    if (why) return tell({ failed: { name: "SaveError", value: why, traceback: "" }, end: true });
    tell({ values, end: true });
  };

  const obey = async (message) => {
    if (message.interrupt) return (interrupting = interrupt());
    await interrupting;
    try {
      await run(message);
    } catch (error) {
      tell({ failed: { name: "Error", value: String(error), traceback: "" }, end: true });
    }
    await post("Runtime.releaseObjectGroup", { objectGroup: "cell" });
  };

  let rest = "";
  const orders = new (require("net").Socket)({ fd: 3, readable: true, writable: false });
  orders.setEncoding("utf8");
  orders.on("data", (data) => {
    const lines = (rest + data).split("\n");
    rest = lines.pop();
    for (const line of lines) obey(JSON.parse(line));
  });
  tell({ ready: true });
}
