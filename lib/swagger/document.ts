import type { OpenAPIObject } from '@nestjs/swagger';
import type { Schema } from './frame-schema.js';
import { forOpenApi31 } from './json-schema.js';

/** The schema of one event: an object with `data`. */
type Frame = Schema & { properties: { data: Schema } };

/** `itemSchema` is unknown to the types of `@nestjs/swagger`. */
interface MediaType {
  schema?: Schema;
  itemSchema?: Schema;
}

/**
 * Adapts the event streams of a document to its OpenAPI version. Returns a new document and does
 * not change the given one.
 * - 3.0: unchanged; `data` has the schema of the parsed JSON.
 * - 3.1: `data` is a string with `contentMediaType` and `contentSchema`.
 * - 3.2: as 3.1, and the schema of one event is the `itemSchema` of the sequence.
 * @example `SwaggerModule.setup('docs', app, () => withSseStreams(SwaggerModule.createDocument(app, config)));`
 * @publicApi
 */
export function withSseStreams(document: OpenAPIObject): OpenAPIObject {
  const minor = Number(/^3\.(\d+)/.exec(document.openapi)?.[1] ?? 0);
  return minor === 0 ? document : (convert(document, minor > 1) as OpenAPIObject);
}

/**
 * Finds streams by their media type, because they can be in paths, webhooks, callbacks and
 * components. None of them is in an array.
 */
function convert(node: unknown, hasItemSchema: boolean): unknown {
  if (!isPlain(node)) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === 'text/event-stream' && isPlain(value)
        ? convertStream(value, hasItemSchema)
        : convert(value, hasItemSchema),
    ]),
  );
}

function convertStream(stream: MediaType, hasItemSchema: boolean): MediaType {
  const { schema, ...rest } = stream;
  const frames = schema?.oneOf ?? [schema];
  if (schema === undefined || !frames.every(isFrame)) return stream;
  const converted =
    schema.oneOf === undefined
      ? convertFrame(schema as Frame)
      : { ...schema, oneOf: frames.map(convertFrame) };
  return { ...rest, [hasItemSchema ? 'itemSchema' : 'schema']: converted };
}

function convertFrame(frame: Frame): Schema {
  const { data } = frame.properties;
  if (data.type === 'string') return frame;
  const text = {
    type: 'string',
    contentMediaType: 'application/json',
    contentSchema: forOpenApi31(data),
  };
  return { ...frame, properties: { ...frame.properties, data: text } };
}

function isFrame(schema: unknown): schema is Frame {
  return (schema as Partial<Frame> | undefined)?.properties?.data !== undefined;
}

function isPlain(node: unknown): node is object {
  return (
    typeof node === 'object' && node !== null && Object.getPrototypeOf(node) === Object.prototype
  );
}
