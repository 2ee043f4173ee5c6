/** Where the files of this project can be read. */
const REPOSITORY = 'https://github.com/nestjs-eventstream/nestjs-eventstream/blob/main/';

/**
 * Fills `<!-- links -->` of a page: back to the list of all samples if it runs, the source, and the
 * page of the guide that `<link rel="help">` names. The list shows both; without it they are in the
 * repository.
 */
export function withLinks(html: string, sample: string, home: string | undefined): string {
  const files = home === undefined ? REPOSITORY : `${home}files/`;
  const links = [
    ...(home === undefined ? [] : [{ href: home, text: 'All samples', rel: 'up' }]),
    { href: `${files}sample/${sample}`, text: 'Source', rel: '' },
    ...helpOf(html).map(({ href, title }) => ({ href: `${files}${href}`, text: title, rel: '' })),
  ];
  const items = links.map(({ href, text, rel }) => {
    const relation = rel === '' ? '' : ` rel="${rel}"`;
    return `<a href="${href}"${relation}>${text}</a>`;
  });
  return html
    .replace('<!-- links -->', items.join('\n'))
    .replaceAll('<link rel="help" href="', `<link rel="help" href="${files}`);
}

/** `<link rel="help" href="docs/guide/rooms.md" title="Rooms" />`. */
export function helpOf(html: string): { href: string; title: string }[] {
  const links = html.matchAll(/<link\s+rel="help"\s+href="([^"]+)"\s+title="([^"]+)"\s*\/>/g);
  return [...links].map(([, href = '', title = '']) => ({ href, title }));
}
