import type { JSONRPCMessage, RequestId } from '@modelcontextprotocol/sdk/types.js';

export type Request = Extract<JSONRPCMessage, { method: string; id: RequestId }>;
export type Response = Exclude<JSONRPCMessage, { method: string }>;

const MAX_BATCH = 100;
export const INVALID_REQUEST = -32_600;
export const INTERNAL_ERROR = -32_603;
export const SERVER_ERROR = -32_000;

export function isRequest(message: JSONRPCMessage): message is Request {
  return 'method' in message && 'id' in message;
}

export function isResponse(message: JSONRPCMessage): message is Response {
  return !('method' in message);
}

/** Whether it is the request that begins a session. */
export function isInitialize(message: JSONRPCMessage): message is Request {
  return isRequest(message) && message.method === 'initialize';
}

/** The request that a notification cancels. */
export function cancelledBy(message: JSONRPCMessage): RequestId | undefined {
  if (!('method' in message) || message.method !== 'notifications/cancelled') return undefined;
  return message.params?.['requestId'] as RequestId | undefined;
}

export function errorResponse(id: RequestId, code: number, message: string): JSONRPCMessage {
  return { jsonrpc: '2.0', id, error: { code, message } };
}

/**
 * The messages of a request's body, one or a batch, or `undefined` if it is none. What is inside
 * `params` and `result` is for the server to check.
 */
export function messagesOf(body: unknown): JSONRPCMessage[] | undefined {
  const list: unknown[] = Array.isArray(body) ? body : [body];
  if (list.length === 0 || list.length > MAX_BATCH || !list.every(isMessage)) return undefined;
  return list;
}

function isMessage(value: unknown): value is JSONRPCMessage {
  if (!isObject(value) || value['jsonrpc'] !== '2.0') return false;
  const { id, method, params = {}, result, error } = value;
  const isId = typeof id === 'string' || Number.isInteger(id);
  if (method !== undefined) {
    return typeof method === 'string' && isObject(params) && (isId || !('id' in value));
  }
  if (error !== undefined) return isObject(error) && (isId || id === undefined);
  return isId && isObject(result);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
