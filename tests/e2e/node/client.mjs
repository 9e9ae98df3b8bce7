// The SDK client every script uses, set up by the environment, and the way results go back to the test.
import OpenAI from "openai";

export const model = process.env.MODEL;

export const client = new OpenAI({
  baseURL: process.env.BASE_URL,
  apiKey: process.env.API_KEY,
  maxRetries: 0,
});

export const report = (value) => process.stdout.write(JSON.stringify(value));
