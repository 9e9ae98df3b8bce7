// A program on openapi-typescript and openapi-fetch: it talks to a gateway and reports what it understood.
import createClient from "openapi-fetch";

import { events } from "./events";
import type { components, paths } from "./schema";

type Schemas = components["schemas"];
// The media type of an answer that is streamed; the client takes it where the request asks for it.
type ResponseEvent = paths["/v1/responses"]["post"]["responses"][200]["content"]["text/event-stream"];

const { BASE_URL: baseUrl = "", API_KEY: key = "" } = process.env;
const client = createClient<paths, "application/json">({ baseUrl, headers: { authorization: `Bearer ${key}` } });

const add: Schemas["FunctionTool"] = {
  type: "function",
  name: "add",
  parameters: { type: "object", properties: { a: { type: "integer" } }, required: ["a"] },
};

function textOf(response: Schemas["Response"]): string {
  const parts = response.output.flatMap((item) => (item.type === "message" ? item.content : []));
  return parts.map((part) => (part.type === "output_text" ? part.text : part.refusal)).join("");
}

async function create(body: Schemas["CreateResponse"]): Promise<Schemas["Response"]> {
  const { data, error } = await client.POST("/v1/responses", { body });
  if (data === undefined) throw new Error(error.error.message);
  return data;
}

async function stream() {
  const body: Schemas["CreateResponse"] = { model: "demo", input: "hello", stream: true };
  const { data } = await client.POST("/v1/responses", { body, parseAs: "stream" });
  const seen = { types: [] as string[], deltas: "", final: "" };
  for await (const event of events<ResponseEvent>(data ?? null)) {
    seen.types.push(event.type);
    if (event.type === "response.output_text.delta") seen.deltas += event.delta;
    if (event.type === "response.completed") seen.final = textOf(event.response);
  }
  return seen;
}

async function main() {
  const called = await create({ model: "demo", input: "add", tools: [add] });
  const unknown = await client.GET("/v1/models/{model}", { params: { path: { model: "unknown" } } });
  const report = {
    whole: textOf(await create({ model: "demo", input: "hello" })),
    stream: await stream(),
    tool: called.output.map((item) => (item.type === "function_call" ? [item.name, item.arguments] : item.type)),
    error: [unknown.response.status, unknown.error?.error.code],
  };
  process.stdout.write(JSON.stringify(report));
}

void main();
