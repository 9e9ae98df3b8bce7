import { client, model, report } from "./client.mjs";

const response = await client.responses.create({ model, instructions: "Be brief.", input: "two and two?" });
report({ status: response.status, text: response.output_text, usage: response.usage });
