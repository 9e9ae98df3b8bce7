// A program on the types made from the served contract: it talks to a gateway and reports what it understood.
import createClient from "openapi-fetch";

import { events } from "./events.js";
import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];
type StreamEvent = Schemas["ResponseStreamEvent"];

const { BASE_URL: baseUrl = "", API_KEY: key = "" } = process.env;
// The media type is named because a 200 may be JSON or an event stream.
const open = (token: string) =>
  createClient<paths, "application/json">({ baseUrl, headers: { authorization: `Bearer ${token}` } });
const client = open(key);

const add: Schemas["FunctionTool"] = {
  type: "function",
  name: "add",
  description: "Add two numbers.",
  parameters: { type: "object", properties: { a: { type: "integer" } }, required: ["a"] },
  strict: true,
};

function demand<T>(answer: { data?: T; error?: Schemas["ErrorResponse"] }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

function textOf(response: Schemas["Response"]): string {
  const parts = response.output.flatMap((item) => (item.type === "message" ? item.content : []));
  return parts.map((part) => (part.type === "output_text" ? part.text : part.refusal)).join("");
}

async function listModels() {
  const { data, models } = demand(await client.GET("/v1/models"));
  return { ids: data.map((model) => model.id), slugs: models.map((model) => model.slug) };
}

async function create() {
  const body = { model: "demo", input: "hello" };
  const response = demand(await client.POST("/v1/responses", { body }));
  return { status: response.status, text: textOf(response), total: response.usage?.total_tokens };
}

async function call() {
  const body = { model: "demo", input: "add", tools: [add] };
  const response = demand(await client.POST("/v1/responses", { body }));
  return response.output.map((item) => (item.type === "function_call" ? [item.name, item.arguments] : item.type));
}

async function stream() {
  const body = { model: "demo", input: "hello", stream: true };
  const stream = demand(await client.POST("/v1/responses", { body, parseAs: "stream" }));
  const seen = { types: [] as string[], numbers: [] as number[], deltas: "", text: "", final: "" };
  for await (const event of events<StreamEvent>(stream)) {
    seen.types.push(event.type);
    seen.numbers.push(event.sequence_number);
    if (event.type === "response.output_text.delta") seen.deltas = seen.deltas.concat(event.delta);
    else if (event.type === "response.output_text.done") seen.text = event.text;
    else if (event.type === "response.completed") seen.final = textOf(event.response);
  }
  return seen;
}

async function chat() {
  const messages: Schemas["ChatCompletionRequestMessage"][] = [{ role: "user", content: "hello" }];
  const body = { model: "demo", messages };
  const whole = demand(await client.POST("/v1/chat/completions", { body }));
  const asked = { ...body, stream: true, stream_options: { include_usage: true } };
  const chunks = demand(await client.POST("/v1/chat/completions", { body: asked, parseAs: "stream" }));
  const seen = { text: whole.choices[0]?.message.content, deltas: "", finish: "", total: 0 };
  for await (const chunk of events<Schemas["CreateChatCompletionStreamResponse"]>(chunks)) {
    const { usage } = chunk;
    if (usage) seen.total = usage.total_tokens;
    for (const { delta, finish_reason } of chunk.choices) {
      // Some providers stream parts, which a gateway to them passes on.
      if (typeof delta.content === "string") seen.deltas = seen.deltas.concat(delta.content);
      seen.finish = finish_reason ?? seen.finish;
    }
  }
  return seen;
}

async function failures() {
  const body = { model: "demo", input: "hello", temperature: 9 };
  const answers = [
    await client.POST("/v1/responses", { body }),
    await client.GET("/v1/models/{model}", { params: { path: { model: "unknown" } } }),
    await open("wrong").GET("/v1/models"),
  ];
  return answers.map(({ error, response }) => {
    const { type, code, param } = error?.error ?? {};
    return { status: response.status, type, code, param };
  });
}

const report = {
  models: await listModels(),
  create: await create(),
  call: await call(),
  stream: await stream(),
  chat: await chat(),
  failures: await failures(),
};
process.stdout.write(JSON.stringify(report));
