import { setTimeout as delay } from 'node:timers/promises';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  ReadResourceRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
  type CallToolResult,
  type ElicitRequestFormParams,
  type ServerNotification,
} from '@modelcontextprotocol/sdk/types.js';

const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=';
const SCHEMA = 'https://json-schema.org/draft/2020-12/schema';

const text = (value: string) => ({ type: 'text' as const, text: value });
const image = { type: 'image' as const, data: PNG, mimeType: 'image/png' };
const embedded = (uri: string, mimeType: string, content: string) => ({
  type: 'resource' as const,
  resource: { uri, mimeType, text: content },
});

interface Call {
  readonly args: Record<string, string>;
  readonly progressToken: string | number | undefined;
  readonly server: McpServer;
  readonly notify: (notification: ServerNotification) => Promise<void>;
  readonly ask: (message: string, properties: object, required?: string[]) => Promise<string>;
  readonly sample: (prompt: string) => Promise<string>;
  readonly close: () => void;
}

interface Tool {
  readonly input?: object;
  readonly call: (call: Call) => CallToolResult['content'] | Promise<CallToolResult['content']>;
}

const pick = (...values: string[]) => values;
const titled = (...values: string[]) => values.map((value, n) => ({ const: value, title: `${n}` }));
const input = (name: string) => ({
  type: 'object',
  properties: { [name]: { type: 'string' } },
  required: [name],
});

/** What the conformance suite calls, by its names. */
const TOOLS: Record<string, Tool> = {
  test_simple_text: { call: () => [text('This is a simple text response for testing.')] },
  test_image_content: { call: () => [image] },
  test_audio_content: { call: () => [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] },
  test_embedded_resource: {
    call: () => [
      embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.'),
    ],
  },
  test_multiple_content_types: {
    call: () => [
      text('Multiple content types test:'),
      image,
      embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
    ],
  },
  test_error_handling: {
    call: () => {
      throw new Error('This tool intentionally returns an error for testing');
    },
  },
  test_tool_with_logging: {
    call: async ({ notify }) => {
      for (const data of [
        'Tool execution started',
        'Tool processing data',
        'Tool execution completed',
      ]) {
        await notify({ method: 'notifications/message', params: { level: 'info', data } });
        await delay(50);
      }
      return [text('Logged')];
    },
  },
  test_tool_with_progress: {
    call: async ({ notify, progressToken }) => {
      for (const progress of [0, 50, 100]) {
        if (progressToken !== undefined) {
          const params = { progressToken, progress, total: 100 };
          await notify({ method: 'notifications/progress', params });
        }
        await delay(50);
      }
      return [text('Done')];
    },
  },
  test_sampling: {
    input: input('prompt'),
    call: async ({ args, sample }) => [text(`LLM response: ${await sample(args['prompt'] ?? '')}`)],
  },
  test_elicitation: {
    input: input('message'),
    call: async ({ args, ask }) => {
      const properties = { username: { type: 'string' }, email: { type: 'string' } };
      const answer = await ask(args['message'] ?? '', properties, ['username', 'email']);
      return [text(`User response: ${answer}`)];
    },
  },
  test_elicitation_sep1034_defaults: {
    call: async ({ ask }) => {
      const answer = await ask('Check the defaults', {
        name: { type: 'string', default: 'John Doe' },
        age: { type: 'integer', default: 30 },
        score: { type: 'number', default: 95.5 },
        status: { type: 'string', enum: pick('active', 'inactive', 'pending'), default: 'active' },
        verified: { type: 'boolean', default: true },
      });
      return [text(`Elicitation completed: ${answer}`)];
    },
  },
  test_elicitation_sep1330_enums: {
    call: async ({ ask }) => {
      const options = pick('option1', 'option2', 'option3');
      const answer = await ask('Choose', {
        untitledSingle: { type: 'string', enum: options },
        titledSingle: { type: 'string', oneOf: titled('value1', 'value2', 'value3') },
        legacyEnum: {
          type: 'string',
          enum: pick('opt1', 'opt2', 'opt3'),
          enumNames: pick('Option One', 'Option Two', 'Option Three'),
        },
        untitledMulti: { type: 'array', items: { type: 'string', enum: options } },
        titledMulti: { type: 'array', items: { anyOf: titled('value1', 'value2', 'value3') } },
      });
      return [text(`Elicitation completed: ${answer}`)];
    },
  },
  test_reconnection: {
    call: async ({ close }) => {
      close();
      await delay(200);
      return [text('Reconnected')];
    },
  },
  json_schema_2020_12_tool: {
    input: {
      $schema: SCHEMA,
      type: 'object',
      $defs: {
        address: {
          type: 'object',
          properties: { street: { type: 'string' }, city: { type: 'string' } },
        },
      },
      properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' } },
      additionalProperties: false,
    },
    call: () => [text('Valid')],
  },
};

const RESOURCES = ['test://static-text', 'test://static-binary', 'test://watched-resource'];

function contentOf(uri: string) {
  if (uri === 'test://static-binary') return { uri, mimeType: 'image/png', blob: PNG };
  const [, id] = /^test:\/\/template\/(.+)\/data$/.exec(uri) ?? [];
  if (id !== undefined) {
    const data = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
    return { uri, mimeType: 'application/json', text: data };
  }
  return { uri, mimeType: 'text/plain', text: 'This is the content of the static text resource.' };
}

const PROMPTS: Record<
  string,
  { takes?: string[]; content: (args: Record<string, string>) => object[] }
> = {
  test_simple_prompt: { content: () => [text('This is a simple prompt for testing.')] },
  test_prompt_with_arguments: {
    takes: ['arg1', 'arg2'],
    content: ({ arg1, arg2 }) => [text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)],
  },
  test_prompt_with_embedded_resource: {
    takes: ['resourceUri'],
    content: ({ resourceUri = '' }) => [
      embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.'),
      text('Please process the embedded resource above.'),
    ],
  },
  test_prompt_with_image: { content: () => [image, text('Please analyze the image above.')] },
};

/** A server with all that the conformance suite asks for. */
export function createTestServer(): McpServer {
  const all = new McpServer(
    { name: 'conformance', version: '1.0.0' },
    {
      capabilities: {
        tools: {},
        resources: { subscribe: true },
        prompts: {},
        logging: {},
        completions: {},
      },
    },
  );
  const { server } = all;
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: Object.entries(TOOLS).map(([name, tool]) => ({
      name,
      description: `For the conformance suite: ${name}`,
      inputSchema: (tool.input ?? { type: 'object', properties: {} }) as { type: 'object' },
    })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const { _meta } = params;
    const related = { relatedRequestId: extra.requestId };
    try {
      const content = await TOOLS[params.name]!.call({
        args: (params.arguments ?? {}) as Record<string, string>,
        progressToken: _meta?.progressToken,
        server: all,
        notify: (notification) => extra.sendNotification(notification),
        close: () => extra.closeSSEStream?.(),
        sample: async (prompt) => {
          const messages = [{ role: 'user' as const, content: text(prompt) }];
          const { content: answer } = await server.createMessage(
            { messages, maxTokens: 100 },
            related,
          );
          return 'text' in answer ? answer.text : '';
        },
        ask: async (message, properties, required) => {
          const requestedSchema = { type: 'object', properties, required };
          const ask = { message, requestedSchema } as ElicitRequestFormParams;
          const { action, content: answer } = await server.elicitInput(ask, related);
          return `action=${action}, content=${JSON.stringify(answer)}`;
        },
      });
      return { content };
    } catch (error) {
      return { isError: true, content: [text((error as Error).message)] };
    }
  });
  server.setRequestHandler(ListResourcesRequestSchema, () => ({
    resources: RESOURCES.map((uri) => ({ uri, name: uri, description: uri })),
  }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [{ uriTemplate: 'test://template/{id}/data', name: 'template' }],
  }));
  server.setRequestHandler(ReadResourceRequestSchema, ({ params: { uri } }) => ({
    contents: [contentOf(uri)],
  }));
  server.setRequestHandler(SubscribeRequestSchema, () => ({}));
  server.setRequestHandler(UnsubscribeRequestSchema, () => ({}));
  server.setRequestHandler(ListPromptsRequestSchema, () => ({
    prompts: Object.entries(PROMPTS).map(([name, { takes = [] }]) => ({
      name,
      description: name,
      arguments: takes.map((argument) => ({ name: argument, required: true })),
    })),
  }));
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) => ({
    messages: PROMPTS[params.name]!.content(params.arguments ?? {}).map((content) => ({
      role: 'user' as const,
      content: content as ReturnType<typeof text>,
    })),
  }));
  server.setRequestHandler(CompleteRequestSchema, () => ({
    completion: { values: ['paris', 'park', 'party'], total: 150, hasMore: false },
  }));
  return all;
}
