// The API reference: a page for each entry point, from the doc comments in lib/.
import { OptionDefaults } from 'typedoc';

/** @type {import('typedoc').TypeDocOptions & import('typedoc-plugin-markdown').PluginOptions} */
export default {
  plugin: ['typedoc-plugin-markdown'],
  entryPoints: [
    '../lib/index.ts',
    '../lib/client/index.ts',
    '../lib/redis/index.ts',
    '../lib/testing/index.ts',
    '../lib/swagger/index.ts',
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
  // Examples are written in Markdown: one without a block of code is no code as a whole.
  jsDocCompatibility: { exampleTag: false },
  modifierTags: [...OptionDefaults.modifierTags, '@publicApi'],
  excludeTags: ['@publicApi'],
  validation: { notDocumented: true, notExported: false, invalidLink: true },
  requiredToBeDocumented: ['Class', 'Interface', 'TypeAlias', 'Variable', 'Function', 'Method'],
  intentionallyNotDocumented: [
    // Its name says it.
    'nestjs-eventstream/client.EventStream.subscribe.__type.unsubscribe',
  ],
  treatValidationWarningsAsErrors: true,
  logLevel: 'Warn',
};
