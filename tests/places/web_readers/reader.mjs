// node reader.mjs FOLDER NAME: for each line {url, plan} of its input a line that says what the client has made of it.
// FOLDER holds node_modules; NAME is a package of the AI SDK, or ag-ui. A plan is a list of
//   say:TEXT  approve  deny:REASON  stop (what was said before, once its last part is a text)
// AbstractChat is what useChat is a hook for.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [folder, name] = process.argv.slice(2);
const find = createRequire(pathToFileURL(`${folder}/package.json`));
const load = (which) => import(pathToFileURL(find.resolve(which)));
const until = async (condition) => {
  while (!condition()) await new Promise((done) => setTimeout(done, 5));
};
const words = (error) => `${error.name}: ${String(error.message).slice(0, 300)}`;
const split = (step) => [step.split(':', 1)[0], step.slice(step.indexOf(':') + 1)];

let warnings = [];
console.warn = (...all) => warnings.push(all.join(' ').slice(0, 200));
console.error = () => {};

async function aiSdk() {
  const ai = await load(name);
  class Chat extends ai.AbstractChat {}
  class State {
    status = 'ready';
    messages = [];
    pushMessage = (message) => { this.messages = [...this.messages, message]; };
    popMessage = () => { this.messages = this.messages.slice(0, -1); };
    replaceMessage = (at, message) => { this.messages = this.messages.with(at, structuredClone(message)); };
    snapshot = (value) => structuredClone(value);
  }
  return async (url, plan) => {
    const errors = [], finished = [], state = new State();
    const chat = new Chat({
      id: 'chat-1',
      state,
      transport: new ai.DefaultChatTransport({ api: url }),
      onError: (error) => errors.push(words(error)),
      onFinish: ({ isAbort, isError, finishReason }) => finished.push({ isAbort, isError, finishReason }),
      sendAutomaticallyWhen: ai.lastAssistantMessageIsCompleteWithApprovalResponses,
    });
    const parts = () => chat.messages.filter((message) => message.role === 'assistant').flatMap((message) => message.parts);
    const settled = async () => {
      do await new Promise((done) => setTimeout(done, 20)); while (['submitted', 'streaming'].includes(chat.status));
    };
    for (const [at, [verb, argument]] of plan.map(split).entries()) {
      if (verb === 'say') chat.sendMessage({ text: argument });
      else if (verb === 'stop') {
        await until(() => parts().at(-1)?.type === 'text' && parts().at(-1).text);
        await chat.stop();
      } else for (const part of parts())
        if (part.state === 'approval-requested')
          await chat.addToolApprovalResponse({ id: part.approval.id, approved: verb === 'approve', reason: argument });
      if (plan[at + 1] !== 'stop') await settled();
    }
    return { errors, finished, status: chat.status, messages: chat.messages };
  };
}

async function agUi() {
  const { HttpAgent, buildResumeArray } = await load('@ag-ui/client');
  return async (url, plan) => {
    const errors = [], finished = [];
    const agent = new HttpAgent({ url, threadId: 't1' });
    const run = (runId, more) => agent.runAgent({ runId, ...more }, {
      onRunErrorEvent: ({ event }) => { errors.push(`${event.code}: ${event.message}`); },
      onRunFinishedEvent: ({ event }) => { finished.push({ outcome: event.outcome, result: event.result, usage: event.usage }); },
    }).catch((error) => errors.push(words(error)));
    let running;
    for (const [at, [verb, argument]] of plan.map(split).entries()) {
      if (verb === 'say') {
        agent.addMessage({ id: `u${at}`, role: 'user', content: argument });
        running = run(`r${at}`);
      } else if (verb === 'stop') {
        await until(() => agent.messages.at(-1)?.role === 'assistant' && agent.messages.at(-1).content);
        agent.abortRun();
      } else {
        const payload = { approved: verb === 'approve', reason: argument };
        const decisions = agent.pendingInterrupts.map(({ id }) => [id, { status: 'resolved', payload }]);
        running = run(`r${at}`, { resume: buildResumeArray(agent.pendingInterrupts, Object.fromEntries(decisions)) });
      }
      if (plan[at + 1] !== 'stop') await running;
    }
    return { errors, finished, messages: agent.messages };
  };
}

// A client that has met an error leaves connections idle, for which the server would wait.
const DISPATCHER = Symbol.for('undici.globalDispatcher.1');
async function closeConnections() {
  const { [DISPATCHER]: dispatcher } = globalThis;
  globalThis[DISPATCHER] = new dispatcher.constructor();
  await dispatcher.destroy();
}

const see = await (name === 'ag-ui' ? agUi() : aiSdk());
for await (const line of createInterface({ input: process.stdin })) {
  const { url, plan } = JSON.parse(line);
  warnings = [];
  const seen = await see(url, plan);
  await closeConnections();
  process.stdout.write(`${JSON.stringify({ warnings, ...seen })}\n`);
}
process.exit(0);
