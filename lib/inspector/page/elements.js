// Text only ever becomes text: the page's policy allows no HTML from here.

export const find = (id) => document.getElementById(id);
export const fromTemplate = (id) => find(id).content.firstElementChild.cloneNode(true);

export function write(element, text, title) {
  if (element.textContent !== text) element.textContent = text;
  if (title !== undefined && element.title !== title) element.title = title;
}

export function fill(row, texts, titles = {}) {
  for (const [field, text] of Object.entries(texts)) {
    write(row.querySelector(`[data-field=${field}]`), text, titles[field]);
  }
}

let silence;

/** Tells what a button did. */
export function say(text) {
  find('said').textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => (find('said').textContent = ''), 6_000);
}

/** Resolves with whether the button was pressed that does it. */
export function confirmed({ title, text, action }) {
  const dialog = find('confirm');
  find('confirm-title').textContent = title;
  find('confirm-text').textContent = text;
  find('confirm-action').textContent = action;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'do'), { once: true });
  });
}

find('cancel').addEventListener('click', () => find('confirm').close());
find('confirm-action').addEventListener('click', () => find('confirm').close('do'));
