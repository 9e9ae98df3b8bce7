import { client, model, report } from "./client.mjs";

const stream = client.responses.stream({ model, input: "talk" });
const types = [];
let text = "";
for await (const event of stream) {
  types.push(event.type);
  if (event.type === "response.output_text.delta") text += event.delta;
}
const response = await stream.finalResponse();
report({ types, text, final: response.output_text, usage: response.usage });
