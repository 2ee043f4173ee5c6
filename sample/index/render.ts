import markdownIt from 'markdown-it';
import { createHighlighter, type BundledLanguage, type Highlighter } from 'shiki';

const LANGUAGES = ['ts', 'js', 'html', 'css', 'sh', 'json', 'python', 'go', 'nginx', 'yaml'];
const THEMES = { light: 'github-light', dark: 'github-dark' };

export const { escapeHtml } = markdownIt().utils;

/** Made when the first file is shown: it takes a quarter of a second. */
let highlighter: Promise<Highlighter> | undefined;

export async function highlighted(code: string, language: string): Promise<string> {
  const { codeToHtml } = await highlight();
  return codeToHtml(code.trimEnd(), options(language));
}

/** Links of the guide lead to the files here. */
export async function rendered(markdown: string): Promise<string> {
  const { codeToHtml } = await highlight();
  const md = markdownIt({
    html: true,
    linkify: false,
    highlight: (code, language) => codeToHtml(code.trimEnd(), options(language)),
  });
  return md.render(markdown.replace(/^---\n[\s\S]*?\n---\n/, ''));
}

function highlight(): Promise<Highlighter> {
  highlighter ??= createHighlighter({ langs: LANGUAGES, themes: Object.values(THEMES) });
  return highlighter;
}

function options(language: string) {
  const lang = LANGUAGES.includes(language) ? (language as BundledLanguage) : 'text';
  return { lang, themes: THEMES, defaultColor: false as const };
}
