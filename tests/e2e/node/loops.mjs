// Goes on from stored responses and in a conversation, with a function and with a custom tool.
import { client, model, report } from "./client.mjs";

const parameters = {
  type: "object",
  properties: { a: { type: "number" }, b: { type: "number" } },
  required: ["a", "b"],
  additionalProperties: false,
};
const tools = [
  { type: "function", name: "add", parameters, strict: true },
  { type: "custom", name: "loom", description: "Run a weaving program." },
];

const first = await client.responses.stream({ model, input: "add", tools }).finalResponse();
const [call] = first.output.filter((item) => item.type === "function_call");
const { a, b } = JSON.parse(call.arguments);
const second = await client.responses.create({
  model,
  tools,
  previous_response_id: first.id,
  input: [{ type: "function_call_output", call_id: call.call_id, output: String(a + b) }],
});

const conversation = await client.conversations.create({ metadata: { about: "weaving" } });
const stream = client.responses.stream({ model, tools, conversation: conversation.id, input: "weave" });
let program = "";
for await (const event of stream) {
  if (event.type === "response.custom_tool_call_input.delta") program += event.delta;
}
const third = await stream.finalResponse();
const fourth = await client.responses.create({
  model,
  tools,
  conversation: conversation.id,
  input: [{ type: "custom_tool_call_output", call_id: third.output[0].call_id, output: "a cloth" }],
});
const kinds = [];
for await (const item of client.conversations.items.list(conversation.id, { order: "asc" })) kinds.push(item.type);
report({ sum: second.output_text, program, input: third.output[0].input, text: fourth.output_text, kinds });
