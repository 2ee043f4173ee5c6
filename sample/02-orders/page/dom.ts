// Small things that the scripts of this page need.

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en')} ${count === 1 ? one : many}`;

export const find = (id: string): HTMLElement => document.getElementById(id)!;

export function fromTemplate(id: string): HTMLElement {
  const { content } = find(id) as HTMLTemplateElement;
  return content.firstElementChild!.cloneNode(true) as HTMLElement;
}

export function write(parent: HTMLElement, selector: string, text: string): void {
  parent.querySelector(selector)!.textContent = text;
}
