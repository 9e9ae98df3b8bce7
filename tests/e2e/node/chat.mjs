// The Chat face: one answer of each kind, in the order in which the test has scripted them.
import { client, model, report } from "./client.mjs";

const chat = client.chat.completions;
const hello = [{ role: "user", content: "hello" }];
const parameters = {
  type: "object",
  properties: { a: { type: "number" }, b: { type: "number" } },
  required: ["a", "b"],
  additionalProperties: false,
};
const added = [];
const add = ({ a, b }) => {
  added.push([a, b]);
  return String(a + b);
};
const tool = {
  type: "function",
  function: { name: "add", description: "Add two numbers.", parameters, function: add, parse: JSON.parse },
};
const schema = {
  type: "object",
  properties: { name: { type: "string" } },
  required: ["name"],
  additionalProperties: false,
};

const whole = await chat.create({ model, messages: hello });

const pieces = [];
let usage = null;
for await (const chunk of await chat.create({
  model,
  messages: hello,
  stream: true,
  stream_options: { include_usage: true },
})) {
  pieces.push(chunk.choices[0]?.delta.content ?? "");
  usage = chunk.usage ?? usage;
}

const helper = chat.stream({ model, messages: hello });
let heard = "";
helper.on("content", (delta) => (heard += delta));
const final = await helper.finalChatCompletion();

const response_format = { type: "json_schema", json_schema: { name: "colour", strict: true, schema } };
const parsed = await chat.parse({ model, messages: hello, response_format });

const loop = await chat.runTools({ model, messages: hello, tools: [tool] }).finalContent();
const streamedLoop = await chat.runTools({ model, messages: hello, tools: [tool], stream: true }).finalContent();

const errors = [];
for (const stream of [false, true]) {
  try {
    await chat.create({ model, messages: hello, stream });
  } catch (error) {
    errors.push([error.constructor.name, error.status, error.code, error.headers.get("retry-after")]);
  }
}
report({
  whole: { text: whole.choices[0].message.content, total: whole.usage.total_tokens, model: whole.model },
  streamed: { text: pieces.join(""), total: usage.total_tokens },
  helper: { heard, text: final.choices[0].message.content, finish: final.choices[0].finish_reason },
  parsed: parsed.choices[0].message.parsed ?? JSON.parse(parsed.choices[0].message.content),
  loop,
  streamedLoop,
  added,
  errors,
});
