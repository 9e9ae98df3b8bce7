// A program on a client of @hey-api/openapi-ts: it talks to a gateway and reports what it understood.
import { createClient } from "./client/client";
import { createResponse, retrieveModel } from "./client/sdk.gen";
import type { CreateResponse, FunctionTool, Response, ResponseStreamEvent } from "./client/types.gen";
import { events } from "./events";

const { BASE_URL: baseUrl = "", API_KEY: key = "" } = process.env;
const client = createClient({ baseUrl, auth: key });

const add: FunctionTool = {
  type: "function",
  name: "add",
  parameters: { type: "object", properties: { a: { type: "integer" } }, required: ["a"] },
};

function textOf(response: Response): string {
  const parts = response.output.flatMap((item) => (item.type === "message" ? item.content : []));
  return parts.map((part) => (part.type === "output_text" ? part.text : part.refusal)).join("");
}

async function create(body: CreateResponse): Promise<Response> {
  const { data } = await createResponse({ client, body, throwOnError: true });
  return data;
}

async function stream() {
  const body: CreateResponse = { model: "demo", input: "hello", stream: true };
  const { data } = await createResponse({ client, body, parseAs: "stream", throwOnError: true });
  const seen = { types: [] as string[], deltas: "", final: "" };
  // The generator gives an answer one type, whatever it is parsed as.
  for await (const event of events<ResponseStreamEvent>(data as unknown as ReadableStream<Uint8Array>)) {
    seen.types.push(event.type);
    if (event.type === "response.output_text.delta") seen.deltas += event.delta;
    if (event.type === "response.completed") seen.final = textOf(event.response);
  }
  return seen;
}

async function main() {
  const called = await create({ model: "demo", input: "add", tools: [add] });
  const unknown = await retrieveModel({ client, path: { model: "unknown" } });
  const report = {
    whole: textOf(await create({ model: "demo", input: "hello" })),
    stream: await stream(),
    tool: called.output.map((item) => (item.type === "function_call" ? [item.name, item.arguments] : item.type)),
    error: [unknown.response?.status, unknown.error?.error.code],
  };
  process.stdout.write(JSON.stringify(report));
}

void main();
