// Small things that every page needs. Text is only ever set as text: what comes from a stream is
// never HTML.

export const find = (id) => document.getElementById(id);

export function make(name, className = '', text = '') {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}

export const fromTemplate = (id) => find(id).content.firstElementChild.cloneNode(true);

/** Sends JSON. Answers what the server answers, or undefined where it refuses, which it shows. */
export async function post(path, body = {}) {
  try {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
    const text = await response.text();
    const answer = text === '' ? {} : JSON.parse(text);
    showProblem(response.ok ? '' : answer.message);
    return response.ok ? answer : undefined;
  } catch {
    showProblem('The server does not answer.');
    return undefined;
  }
}

function showProblem(text) {
  const problem = find('problem');
  if (problem === null) return;
  problem.textContent = text;
  problem.hidden = text === '';
}

export const timeOf = (date) => new Date(date).toLocaleTimeString('en-GB');
