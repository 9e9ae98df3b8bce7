import { client, model, report } from "./client.mjs";

const schema = {
  type: "object",
  properties: { name: { type: "string" } },
  required: ["name"],
  additionalProperties: false,
};
const format = { type: "json_schema", name: "colour", strict: true, schema };
const response = await client.responses.parse({ model, input: "a colour", text: { format } });
report({ parsed: response.output_parsed, schema });
