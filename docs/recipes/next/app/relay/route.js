const NEST_URL = process.env.NEST_URL ?? 'http://localhost:3000';
const TO_NEST = ['accept', 'authorization', 'cookie', 'last-event-id'];
const TO_CLIENT = ['cache-control', 'content-type', 'retry-after'];

export async function GET(request) {
  const { status, body, headers } = await fetch(`${NEST_URL}/events`, {
    headers: pick(request.headers, TO_NEST),
    cache: 'no-store',
    // Closes the stream at Nest when the client leaves.
    signal: request.signal,
  });
  return new Response(body, { status, headers: pick(headers, TO_CLIENT) });
}

function pick(headers, names) {
  const present = names.filter((name) => headers.has(name));
  return present.map((name) => [name, headers.get(name)]);
}
