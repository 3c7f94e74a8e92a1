// Drives an MCP server over stdio and prints, as one JSON object, what each call came to:
// {result} for what the library returned, {threw} where it threw instead.
//
//   node client.mjs COMMAND [ARGUMENT...]

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const [command, ...args] = process.argv.slice(2);
const client = new Client({ name: "typescript-sdk", version: "1" });
const progress = [];

async function call(name, args, options = {}) {
  try {
    return { result: await client.callTool({ name, arguments: args }, undefined, options) };
  } catch (error) {
    return { threw: String(error) };
  }
}

await client.connect(new StdioClientTransport({ command, args, env: process.env }));
const said = { server: client.getServerVersion() };
said.tools = (await client.listTools()).tools;
said.ran = await call(
  "run_workflow",
  { workflow: "color_card", wait_seconds: 30 },
  { onprogress: (step) => progress.push(step.progress) },
);
said.progress = progress;
const job = said.ran.result?.structuredContent;
said.viewed = await call("view_output", { uri: job?.outputs?.[0]?.uri ?? "" });
said.listed = await call("list_jobs", { status: "completed" });
said.cleared = await call("clear_queue", {});
said.status = await call("get_server_status", {});
said.denied = await call("cancel_job", { prompt_id: job?.prompt_id ?? "none" });
said.stranger = await call("run_workflow", { workflow: "color_card", parameters: {} });
await client.close();
console.log(JSON.stringify(said));
