const ESCAPED: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** An object of plain values as an element with one child for each, a line each. */
export function toXml(data: unknown, type = 'message'): string {
  const children = Object.entries(Object(data) as object).map(
    ([name, value]) => `  <${name}>${escape(String(value))}</${name}>`,
  );
  return [`<${type}>`, ...children, `</${type}>`].join('\n');
}

function escape(text: string): string {
  return text.replaceAll(/[&<>]/g, (character) => ESCAPED[character] ?? '');
}
