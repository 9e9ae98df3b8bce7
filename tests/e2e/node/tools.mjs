import { client, model, report } from "./client.mjs";

const tools = [
  {
    type: "function",
    name: "add",
    description: "Add two numbers.",
    parameters: {
      type: "object",
      properties: { a: { type: "number" }, b: { type: "number" } },
      required: ["a", "b"],
      additionalProperties: false,
    },
    strict: true,
  },
];
const input = [{ role: "user", content: "Add them." }];
const first = await client.responses.stream({ model, input, tools }).finalResponse();
const calls = first.output.filter((item) => item.type === "function_call");
const outputs = calls.map((call) => {
  const { a, b } = JSON.parse(call.arguments);
  return { type: "function_call_output", call_id: call.call_id, output: String(a + b) };
});
const second = await client.responses.create({ model, input: [...input, ...first.output, ...outputs], tools });
report({ calls: calls.map((call) => [call.call_id, call.name]), text: second.output_text });
