// A chat as the AI SDK's guide has it: its id is in the address, and what was said comes from the
// server. `createElement` instead of JSX, so that the sample needs no build of its own.
import { useChat } from '@ai-sdk/react';
import { generateId, type UIMessage } from 'ai';
import { createElement as h, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { FormEvent, ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { find } from '../../shared/page/elements.js';
import { showState } from '../../shared/page/state.js';
import { CHAT_ANSWERS } from '../known-answers.js';

/** What the state of this page is in each status of `useChat`. */
const STATES = {
  submitted: 'connecting',
  streaming: 'live',
  ready: 'ended',
  error: 'ended',
} as const;

function Chat({ id, known }: { id: string; known: UIMessage[] }): ReactNode {
  const { messages, status, error, ...chat } = useChat({ id, messages: known, resume: true });
  const isRunning = status === 'submitted' || status === 'streaming';
  const hasMessages = messages.length > 0;

  useEffect(() => {
    if (hasMessages) showState(STATES[status]);
  }, [status, hasMessages]);

  const ask = (text: string): void => {
    if (!isRunning) void chat.sendMessage({ text });
  };
  /** The run first, for all tabs. `chat.stop()` closes the stream of this tab, and no more. */
  const stop = async (): Promise<void> => {
    if (!isRunning) return;
    await fetch(`api/chat/${id}/stop`, { method: 'POST' });
    await chat.stop();
  };
  return [
    error && h(Problem, { key: 'error', error }),
    h(Questions, { key: 'ask', ask, isRunning }),
    h(Steps, { key: 'try', stop: () => void stop(), isRunning, hasMessages }),
    hasMessages && h(Thread, { key: 'thread', messages, isRunning }),
  ];
}

/** Of an answer that failed or was refused, or of a connection that broke. */
function Problem({ error }: { error: Error }): ReactNode {
  return h(
    'div',
    { className: 'final', role: 'alert' },
    h('p', null, reasonOf(error)),
    h('p', null, 'Reload to see what the server has.'),
  );
}

/** For a request that was refused, the SDK has the body of the response as the message. */
function reasonOf({ message }: Error): string {
  try {
    return String((JSON.parse(message) as { message: unknown }).message);
  } catch {
    return message;
  }
}

interface QuestionsProps {
  ask: (text: string) => void;
  isRunning: boolean;
}

function Questions({ ask, isRunning }: QuestionsProps): ReactNode {
  const [text, setText] = useState('');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (isRunning) return;
    ask(text);
    setText('');
  };
  return h(
    'section',
    { className: 'panel ask', 'aria-labelledby': 'ask-title' },
    h('h2', { id: 'ask-title' }, 'Press a question'),
    h(
      'div',
      { className: 'examples', role: 'group', 'aria-labelledby': 'ask-title' },
      Object.keys(CHAT_ANSWERS).map((question, index) =>
        h(
          'button',
          {
            key: question,
            type: 'button',
            className: index === 0 ? 'first' : '',
            'aria-disabled': isRunning,
            onClick: () => ask(question),
          },
          question,
        ),
      ),
    ),
    h(
      'form',
      { onSubmit: submit },
      h('input', {
        id: 'question',
        'aria-label': 'Your question',
        placeholder: 'Or ask your own question',
        maxLength: 500,
        autoComplete: 'off',
        required: true,
        value: text,
        onChange: ({ currentTarget }) => setText(currentTarget.value),
      }),
      h('button', { type: 'submit', id: 'ask', 'aria-disabled': isRunning }, 'Ask'),
    ),
  );
}

interface StepsProps {
  stop: () => void;
  isRunning: boolean;
  hasMessages: boolean;
}

function Steps({ stop, isRunning, hasMessages }: StepsProps): ReactNode {
  const reload = (): void => {
    if (hasMessages) location.reload();
  };
  const button = (name: string, isDisabled: boolean, onClick: () => void): ReactNode =>
    h('button', { type: 'button', 'aria-disabled': isDisabled, onClick }, name);
  const href = hasMessages ? location.href : undefined;
  return h(
    'section',
    { 'aria-labelledby': 'try-title' },
    h('h2', { id: 'try-title' }, 'Then try this, while it answers'),
    h(
      'ul',
      { className: 'try' },
      h(
        'li',
        null,
        button('Reload', !hasMessages, reload),
        h('p', null, 'It goes on at the next word.'),
      ),
      h(
        'li',
        null,
        h('a', { href, target: '_blank', rel: 'noopener' }, 'Second tab'),
        h('p', null, 'Both show the same chat.'),
      ),
      h(
        'li',
        null,
        button('Stop', !isRunning, stop),
        h('p', null, 'The answer ends, in every tab.'),
      ),
    ),
  );
}

interface ThreadProps {
  messages: UIMessage[];
  isRunning: boolean;
}

function Thread({ messages, isRunning }: ThreadProps): ReactNode {
  const thread = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    const { current } = thread;
    if (current !== null && isAtEnd.current) current.scrollTop = current.scrollHeight;
  });
  const classOf = (role: string, index: number): string => {
    if (role === 'user') return 'bubble';
    return isRunning && index === messages.length - 1 ? 'answer' : 'answer whole';
  };
  const look = ({ currentTarget: { scrollHeight, scrollTop, clientHeight } }: Scroll): void => {
    isAtEnd.current = scrollHeight - scrollTop - clientHeight < 40;
  };
  return h(
    'section',
    { className: 'panel result' },
    h(
      'div',
      {
        className: 'thread',
        ref: thread,
        onScroll: look,
        tabIndex: 0,
        role: 'region',
        'aria-label': 'Questions and answers',
      },
      messages.map((message, index) =>
        h(
          'p',
          { key: message.id, className: classOf(message.role, index), 'aria-live': 'off' },
          textOf(message),
        ),
      ),
    ),
  );
}

interface Scroll {
  currentTarget: HTMLElement;
}

function textOf({ parts }: UIMessage): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

export async function showChat(): Promise<void> {
  const address = new URL(location.href);
  const id = address.searchParams.get('id') ?? generateId();
  address.searchParams.set('id', id);
  history.replaceState(null, '', address);
  const known = (await (await fetch(`api/chat/${id}`)).json()) as UIMessage[];
  createRoot(find('chat')).render(h(Chat, { id, known }));
}
