import { client, model, report } from "./client.mjs";

const names = [];
for (const options of [{ stream: false }, { stream: true }]) {
  try {
    await client.responses.create({ model, input: "hello", ...options });
  } catch (error) {
    names.push([error.constructor.name, error.status, error.code, error.headers.get("retry-after")]);
  }
}
report(names);
