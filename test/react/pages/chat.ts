// A chat as the AI SDK's guide has it: the id is in the address, and what was said comes from the
// server.
import { useChat } from '@ai-sdk/react';
import type { UIMessage } from 'ai';
import { createElement, StrictMode, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';

function Chat({ id, messages: known }: { id: string; messages: UIMessage[] }): ReactNode {
  const chat = useChat({ id, messages: known, resume: true });
  const stop = async (): Promise<void> => {
    await fetch(`/api/chat/${id}/stop`, { method: 'POST' });
    await chat.stop();
  };
  return createElement(
    'main',
    null,
    chat.messages.map(({ id: key, role, parts }) =>
      createElement(
        'p',
        { key, className: role },
        parts.map((part) => (part.type === 'text' ? part.text : '')).join(''),
      ),
    ),
    createElement('output', { id: 'status' }, chat.status),
    createElement('output', { id: 'error' }, chat.error?.message),
    createElement('button', { onClick: () => void chat.sendMessage({ text: 'Hello?' }) }, 'Ask'),
    createElement('button', { onClick: () => void stop() }, 'Stop'),
  );
}

const id = new URLSearchParams(location.search).get('chat') ?? '';
const messages = (await (await fetch(`/api/chat/${id}`)).json()) as UIMessage[];
createRoot(document.querySelector('#app')!).render(
  createElement(StrictMode, null, createElement(Chat, { id, messages })),
);
