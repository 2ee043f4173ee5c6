import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { defineConfig, type DefaultTheme, type MarkdownOptions } from 'vitepress';

/** Where the files that are no pages of the site can be read. */
const REPOSITORY = 'https://github.com/nestjs-eventstream/nestjs-eventstream';
const BRANCH = 'main';

/** Where the site is, if not at the root of its host. */
const base = process.env['DOCS_BASE'] ?? '/';

const docs = join(import.meta.dirname, '..');

/**
 * The order of the guide. A page that does not exist is left out; one that is missing here fails
 * the build.
 */
const GUIDE: Record<string, string[]> = {
  Overview: [
    'quick-start',
    'concepts',
    'streams',
    'rooms',
    'changing-rooms',
    'state',
    'presence',
    'resume',
    'backpressure',
    'options',
  ],
  Security: ['authentication'],
  Techniques: ['llm', 'mcp', 'jobs', 'bullmq', 'publishing', 'contracts', 'openapi', 'testing'],
  Clients: [
    'clients',
    'react',
    'vue',
    'angular',
    'nextjs',
    'tabs',
    'python-go-curl',
    'browser-limits',
  ],
  Deployment: [
    'best-practices',
    'deploying',
    'many-processes',
    'proxies',
    'metrics',
    'inspector',
    'memory',
    'scaling',
    'performance',
  ],
  'FAQ and comparison': ['faq', 'troubleshooting', 'when-to-use', 'comparison', 'migrating'],
};

/** Pages that look different; `theme/style.css` says how. */
const LAYOUT_CLASSES: readonly [RegExp, string][] = [
  [/^index\.md$/, 'front'],
  [/^guide\/comparison\.md$/, 'comparison'],
  [/^api\//, 'api'],
];

function sidebar(): DefaultTheme.SidebarItem[] {
  const listed = Object.values(GUIDE).flat();
  const forgotten = pages('guide').filter((name) => !listed.includes(name));
  if (forgotten.length > 0) {
    throw new Error(`docs/.vitepress/config.ts: put into GUIDE: ${forgotten.join(', ')}`);
  }
  return [
    ...Object.entries(GUIDE).map(([text, names]) => ({
      text,
      items: names.map((name) => item(`guide/${name}`)).filter((found) => found !== undefined),
    })),
    { text: 'Reference', items: [api()].filter((found) => found !== undefined) },
    {
      text: 'How it is made',
      items: [item('architecture')].filter((found) => found !== undefined),
    },
    { text: 'Decisions', collapsed: true, items: pages('decisions').map((name) => item(`decisions/${name}`)!) }, // prettier-ignore
  ];
}

function pages(folder: string): string[] {
  return readdirSync(join(docs, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => name.slice(0, -'.md'.length));
}

/** With its first heading as its text. */
function item(page: string): DefaultTheme.SidebarItem | undefined {
  const file = join(docs, `${page}.md`);
  if (!existsSync(file)) return undefined;
  const text = /^# (.*)$/m.exec(readFileSync(file, 'utf8'))?.[1]?.replaceAll('`', '');
  if (text === undefined) throw new Error(`${page}.md has no heading`);
  return { text, link: `/${page}` };
}

/** A page for each entry point, made by typedoc. */
function api(): DefaultTheme.SidebarItem {
  const others = [
    'client',
    'contract',
    'shared',
    'react',
    'redis',
    'testing',
    'swagger',
    'mcp',
    'prometheus',
    'inspector',
  ];
  const items = [
    { text: 'nestjs-eventstream', link: '/api/nestjs-eventstream' },
    ...others.map((name) => ({ text: `…/${name}`, link: `/api/nestjs-eventstream/${name}` })),
  ];
  return { text: 'API', link: '/api/', collapsed: false, items };
}

/**
 * A link to what is no page, such as a sample or a test, works on GitHub as it stands; here it
 * leads there.
 */
const linksToFiles: MarkdownOptions['config'] = (md) => {
  md.core.ruler.push('links-to-files', ({ tokens, env }) => {
    const page = (env as { relativePath: string }).relativePath;
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.type === 'link_open' ? token.attrGet('href') : null;
      if (href !== null) token.attrSet('href', fileUrl(page, href) ?? href);
    }
  });
};

function fileUrl(page: string, href: string): string | undefined {
  if (/^(#|\/|\w+:)/.test(href)) return undefined;
  const path = posix.join('docs', posix.dirname(page), href.replace(/[?#].*/, ''));
  if (path.startsWith('docs/') && path.endsWith('.md')) return undefined;
  const file = join(docs, '..', path);
  if (!existsSync(file)) throw new Error(`docs/${page}: there is no ${path}`);
  const kind = statSync(file).isDirectory() ? 'tree' : 'blob';
  return `${REPOSITORY}/${kind}/${BRANCH}/${path}`;
}

export default defineConfig({
  title: 'nestjs-eventstream',
  description:
    'Server-Sent Events for NestJS: rooms, exact resume, bounded memory, many processes.',
  base,
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}favicon.svg` }]],
  cleanUrls: true,
  lastUpdated: false,
  transformPageData: ({ relativePath, frontmatter }) => {
    frontmatter['pageClass'] = LAYOUT_CLASSES.find(([pattern]) => pattern.test(relativePath))?.[1];
  },
  markdown: { config: linksToFiles, theme: { light: 'github-light', dark: 'github-dark' } },
  themeConfig: {
    nav: [
      { text: 'Quick start', link: '/guide/quick-start' },
      { text: 'Guide', link: '/guide/concepts', activeMatch: '/guide/(?!quick-start)' },
      { text: 'API', link: '/api/', activeMatch: '/api/' },
      { text: 'Architecture', link: '/architecture', activeMatch: '/(architecture|decisions)' },
    ],
    sidebar: sidebar(),
    outline: [2, 3],
    search: {
      provider: 'local',
      options: {
        miniSearch: {
          // The guide before the reference.
          searchOptions: { boostDocument: (id: string) => (id.includes('/api/') ? 0.3 : 1) },
        },
      },
    },
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
    editLink: { pattern: `${REPOSITORY}/edit/${BRANCH}/docs/:path`, text: 'Edit this page' },
  },
});
