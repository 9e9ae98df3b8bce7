// A program on a client of orval: it talks to a gateway and reports what it understood.
import { events } from "./events";
import { gateway } from "./fetcher";
import { createResponse, retrieveModel } from "./wireloom";
import type { CreateResponse, FunctionTool, Response, ResponseStreamEvent } from "./wireloom";

const { BASE_URL = "", API_KEY = "" } = process.env;
gateway.url = BASE_URL;
gateway.key = API_KEY;

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
  const answer = await createResponse(body);
  if (answer.status !== 200) throw new Error(answer.data.error.message);
  return answer.data as Response;
}

async function stream() {
  const { data } = await createResponse({ model: "demo", input: "hello", stream: true });
  const seen = { types: [] as string[], deltas: "", final: "" };
  // The generator has no type for a body that is still open.
  for await (const event of events<ResponseStreamEvent>(data as unknown as ReadableStream<Uint8Array>)) {
    seen.types.push(event.type);
    if (event.type === "response.output_text.delta") seen.deltas += event.delta;
    if (event.type === "response.completed") seen.final = textOf(event.response);
  }
  return seen;
}

async function main() {
  const called = await create({ model: "demo", input: "add", tools: [add] });
  const unknown = await retrieveModel("unknown");
  const report = {
    whole: textOf(await create({ model: "demo", input: "hello" })),
    stream: await stream(),
    tool: called.output.map((item) => (item.type === "function_call" ? [item.name, item.arguments] : item.type)),
    error: [unknown.status, unknown.status === 200 ? null : unknown.data.error.code],
  };
  process.stdout.write(JSON.stringify(report));
}

void main();
