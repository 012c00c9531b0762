// node reader.mjs FOLDER NAME URL: what a client of a page makes of a stream, as one JSON line.
// FOLDER holds node_modules; NAME is a package of the AI SDK, or ag-ui. readUIMessageStream is what useChat reads with.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [folder, name, url] = process.argv.slice(2);
const find = createRequire(pathToFileURL(`${folder}/package.json`));
const load = (which) => import(pathToFileURL(find.resolve(which)));
const errors = [];
const note = (error) => errors.push(`${error.name}: ${String(error.message).slice(0, 300)}`);

async function aiSdk() {
  const { DefaultChatTransport, readUIMessageStream } = await load(name);
  let message;
  const stream = await new DefaultChatTransport({ api: url }).sendMessages({
    chatId: 'chat-1',
    messages: [{ id: 'u1', role: 'user', parts: [{ type: 'text', text: 'Hi' }] }],
    trigger: 'submit-message',
  });
  for await (const state of readUIMessageStream({ stream, onError: note })) message = state;
  return { message };
}

async function agUi() {
  const { HttpAgent } = await load('@ag-ui/client');
  const finished = [];
  const agent = new HttpAgent({ url, threadId: 't1', initialMessages: [{ id: 'u1', role: 'user', content: 'Hi' }] });
  await agent.runAgent({ runId: 'r1' }, {
    onRunErrorEvent: ({ event }) => { errors.push(`${event.code}: ${event.message}`); },
    onRunFinishedEvent: ({ event }) => { finished.push({ outcome: event.outcome, result: event.result, usage: event.usage }); },
  });
  return { messages: agent.messages, finished };
}

const warnings = [];
console.warn = (...words) => warnings.push(words.join(' ').slice(0, 200));
console.error = () => {};
let seen = {};
try {
  seen = await (name === 'ag-ui' ? agUi() : aiSdk());
} catch (error) {
  note(error);
}
console.log(JSON.stringify({ errors, warnings, ...seen }));
process.exit(0);
