// The transport of a client that orval generates: streams stay streams. Copy this file and events.ts into your project, and
// name it in orval's configuration (override.mutator). The generated client parses every answer as JSON without it.

/** The address of the gateway and its key. */
export const gateway = { url: "http://127.0.0.1:4444", key: "" };

export async function fetcher<Answer>(path: string, options: RequestInit): Promise<Answer> {
  const headers = { ...options.headers, authorization: `Bearer ${gateway.key}` };
  const response = await fetch(gateway.url + path, { ...options, headers });
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
  const data: unknown = isStream ? response.body : await response.json();
  return { data, status: response.status, headers: response.headers } as Answer;
}
