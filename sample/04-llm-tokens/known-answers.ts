// What the local model knows by heart. The keys are the questions that the pages suggest.

/** The page that reads the events itself. */
export const ANSWERS: Readonly<Record<string, string>> = {
  'What happens if I reload?': `Reload now, in the middle of this sentence, and see.

Your question has started a run in the server. The run does not belong to your connection, so it goes on while nobody reads it. Each token is an event, and each event has an ID.

Your page remembers the last ID that it has seen. After the reload it sends that ID, and the server sends what came after it: every token once, in order. Nothing is asked from the model a second time, so nothing is paid for a second time.`,

  'What does a second tab get?': `Open one now. It has no last event ID, so the server sends the answer from its first token, at once. From there on both tabs get the same tokens at the same time.

This works for as many tabs and people as you like, because they all read the same run. The model still runs only once.

Press Stop in one of the tabs: the run itself ends, and both tabs see the end. Stop is an ordinary request to the server. Closing a tab stops nothing.`,

  'What are Server-Sent Events?': `They are a part of HTTP that every browser knows. The server answers a request and leaves the response open. Then it sends events as plain text, one after the other, until one of the two sides has had enough.

If the connection breaks, the browser opens it again by itself and sends the ID of the last event that it got. What the server does with that ID is up to the server. Many do nothing, and the events in between are lost.

Here the server keeps the events of a run, so it can send what was missed. That is why you can switch off your network in the middle of this answer and lose not a word.`,
};

/** The page with `useChat`. */
export const CHAT_ANSWERS: Readonly<Record<string, string>> = {
  'What does useChat do on a reload?': `Reload now, and watch it.

With the option resume, useChat asks the server for a running answer as soon as the page is there. The server sends the answer from its first token to the newest one, in one go, and then goes on as the tokens come. If nothing is running, it answers with 204 and useChat does nothing.

The answer is a run. It does not belong to a connection, so your reload did not stop the model, and the model was asked only once.`,

  'What does Stop do here?': `Two things, and it takes both. The stop() of useChat closes the connection of this tab. It does not reach the model: a resumable answer goes on without readers, and that is the point of it.

So the button first sends a request to the server, which stops the run. The signal of the run is aborted, the AI SDK cancels the call of the model, and every tab that reads this chat sees the end. What was said until then is stored.

Press it now, in the middle of this answer, and reload. The text stays where you stopped it.`,

  'What is stored?': `The messages of this chat, once the answer has ended. The server gets them from the AI SDK when the stream is over, also when it was stopped.

While the answer is running, the run has it. After its end, it is in both places for five minutes. They carry the same message ID, because the server generates one. So a reload shows the answer once.

Without that ID a reload would show the answer twice: the stored one, and the one of the run.`,
};

export function answerTo(prompt: string): string {
  return (
    ANSWERS[prompt] ??
    CHAT_ANSWERS[prompt] ??
    `You asked: “${prompt}”

I am a small model that runs inside this sample. I know three answers by heart: press one of the questions on this page. To everything else I say what I am saying now, token by token.

So take the time to try something. Reload this page: the answer goes on at the next word. Open it in a second tab: there the answer so far comes first, then both grow alike. Press Stop: the answer ends, in every tab. And when the last token is here, the server says that there are no more, and the browser does not ask again.`
  );
}
