// Carries sealed reasoning from one request to the next; nothing is stored.
import { client, model, report } from "./client.mjs";

const options = { model, store: false, include: ["reasoning.encrypted_content"] };
const input = [{ role: "user", content: "think" }];
const first = await client.responses.create({ ...options, input });
const kept = first.output.map((item) => {
  if (item.type !== "reasoning") return item;
  const { content, ...rest } = item;
  return { ...rest, summary: [] };
});
const again = [...input, ...kept, { role: "user", content: "go on" }];
const second = await client.responses.create({ ...options, input: again });
report({ types: first.output.map((item) => item.type), text: second.output_text });
