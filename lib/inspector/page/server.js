// Requests to the inspector. The token of a sign-in is kept for this tab only.

const TOKEN = 'sse-inspector-token';

export const base = location.pathname.replace(/\/+$/, '');
export const asksForToken = document.documentElement.hasAttribute('data-sign-in');

export const token = {
  get: () => (asksForToken ? sessionStorage.getItem(TOKEN) : null),
  set: (text) => sessionStorage.setItem(TOKEN, text),
  clear: () => sessionStorage.removeItem(TOKEN),
};

/** A fetch with what lets it in. */
export function request(path, { headers = {}, ...options } = {}) {
  const held = token.get();
  const authorization = held === null ? {} : { Authorization: `Bearer ${held}` };
  return fetch(base + path, {
    cache: 'no-store',
    ...options,
    headers: { ...headers, ...authorization },
  });
}

export async function getJson(path) {
  return okOrThrow(await request(path));
}

/** The header is what a form of another site cannot send. */
export async function post(path, body) {
  const headers = { 'X-Sse-Inspector': '1' };
  if (body === undefined) return okOrThrow(await request(path, { method: 'POST', headers }));
  headers['Content-Type'] = 'application/json';
  return okOrThrow(await request(path, { method: 'POST', headers, body: JSON.stringify(body) }));
}

async function okOrThrow(response) {
  if (response.status === 204) return undefined;
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  throw new Error(messageOf(text) ?? `${response.status} ${response.statusText}`);
}

function messageOf(text) {
  try {
    return JSON.parse(text).message;
  } catch {
    return undefined;
  }
}
