// The API reference: a page for each entry point, from the doc comments in lib/.
import { Converter, OptionDefaults } from 'typedoc';

/** @type {import('typedoc').TypeDocOptions & import('typedoc-plugin-markdown').PluginOptions} */
export default {
  plugin: ['typedoc-plugin-markdown', shortExamples],
  entryPoints: [
    '../lib/index.ts',
    '../lib/client/index.ts',
    '../lib/contract/index.ts',
    '../lib/shared/index.ts',
    '../lib/react/index.ts',
    '../lib/runs/index.ts',
    '../lib/ai/index.ts',
    '../lib/redis/index.ts',
    '../lib/bullmq/index.ts',
    '../lib/testing/index.ts',
    '../lib/swagger/index.ts',
    '../lib/mcp/index.ts',
    '../lib/prometheus/index.ts',
    '../lib/inspector/index.ts',
  ],
  sort: ['source-order'],
  tsconfig: '../tsconfig.build.json',
  out: 'api',
  readme: 'none',
  router: 'module',
  entryFileName: 'index',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useCodeBlocks: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  disableSources: true,
  excludeInternal: true,
  excludePrivate: true,
  excludeProtected: true,
  excludeExternals: true,
  modifierTags: [...OptionDefaults.modifierTags, '@publicApi'],
  excludeTags: ['@publicApi'],
  validation: { notDocumented: true, notExported: false, invalidLink: true },
  requiredToBeDocumented: ['Class', 'Interface', 'TypeAlias', 'Variable', 'Function', 'Method'],
  intentionallyNotDocumented: [
    // Their names say it.
    'nestjs-eventstream.SseStream.__type.Handler',
    'nestjs-eventstream/client.EventStream.subscribe.__type.unsubscribe',
  ],
  treatValidationWarningsAsErrors: true,
  logLevel: 'Warn',
};

/** As typedoc takes it: with its backticks, and with the tag below it. */
const SHORT_EXAMPLE = /^```ts\n`([^`]*)`(?:\n@publicApi)?\n```$/;

/** An example of one line is written in backticks. It is shown as code without them. */
function shortExamples(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    const examples = Object.values(project.reflections)
      .flatMap(({ comment }) => comment?.blockTags ?? [])
      .filter(({ tag }) => tag === '@example');
    for (const part of examples.flatMap(({ content }) => content)) {
      part.text = part.text.replace(SHORT_EXAMPLE, '```ts\n$1\n```');
    }
  });
}
