// The events of a wireloom gateway as typed objects: copy this file into your project.
//
//   for await (const event of events<ResponseStreamEvent>(response.body)) {
//     if (event.type === "response.output_text.delta") process.stdout.write(event.delta);
//   }

/** The connection ended before the stream did: what came so far is incomplete. */
export class StreamCut extends Error {}

const END = "[DONE]";

/**
 * Read the events of a stream until its end.
 *
 * @param body the body of an answer with the media type text/event-stream
 * @throws StreamCut if the body ends without the literal [DONE]
 */
export async function* events<Event>(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Event, void> {
  for await (const data of payloads(body)) {
    if (data === END) return;
    yield JSON.parse(data) as Event;
  }
  throw new StreamCut("The stream ended without [DONE].");
}

async function* payloads(body: ReadableStream<Uint8Array> | null): AsyncGenerator<string, void> {
  let data: string[] = [];
  for await (const line of lines(body)) {
    if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    if (line !== "" || data.length === 0) continue;
    yield data.join("\n");
    data = [];
  }
}

async function* lines(body: ReadableStream<Uint8Array> | null): AsyncGenerator<string, void> {
  if (body === null) return;
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const found = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = found.pop() ?? "";
      for (const line of found) yield line.replace(/\r$/, "");
    }
  } finally {
    // A loop that is left early ends the request, and with it the work of the model.
    await reader.cancel();
  }
}
