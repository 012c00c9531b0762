// A chat as the documentation of useChat has it: the page of test_places_react.py, bundled by esbuild for each major.
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { useChat } from '@ai-sdk/react';
import * as ai from 'ai';

const kept = JSON.parse(localStorage.getItem('chat')) ?? { id: crypto.randomUUID(), messages: [] };

function Part({ part, decide }) {
  if (part.type === 'text') return <p className="text">{part.text}</p>;
  if (part.type === 'reasoning') return <details><summary>Thoughts</summary>{part.text}</details>;
  if (!part.type.startsWith('tool-')) return null;
  return (
    <div className="tool">
      <code>{part.type.slice(5)} {JSON.stringify(part.input)}</code> <span>{part.state}</span>
      {part.output !== undefined && <samp>{JSON.stringify(part.output)}</samp>}
      {part.state === 'approval-requested' && <>
        <button onClick={() => decide({ id: part.approval.id, approved: true })}>Approve</button>
        <button onClick={() => decide({ id: part.approval.id, approved: false, reason: 'Not today' })}>Deny</button>
      </>}
    </div>
  );
}

function Chat() {
  const [text, setText] = useState('');
  const [files, setFiles] = useState();
  const { messages, sendMessage, stop, regenerate, status, error, addToolApprovalResponse } = useChat({
    id: kept.id,
    messages: kept.messages,
    sendAutomaticallyWhen: ai.lastAssistantMessageIsCompleteWithApprovalResponses,
  });
  useEffect(() => localStorage.setItem('chat', JSON.stringify({ id: kept.id, messages })), [messages]);
  const send = (event) => {
    event.preventDefault();
    sendMessage({ text, files });
    setText('');
    setFiles(undefined);
  };
  return (
    <main>
      {messages.map((message) => (
        <section key={message.id} className={message.role}>
          {message.parts.map((part, at) => <Part key={at} part={part} decide={addToolApprovalResponse} />)}
          {message.metadata?.usage && <small>{message.metadata.usage.outputTokens} tokens</small>}
        </section>
      ))}
      {error && <p role="alert">{error.message}</p>}
      <form onSubmit={send}>
        <input aria-label="Message" value={text} onChange={(event) => setText(event.target.value)} />
        <input aria-label="Files" type="file" onChange={(event) => setFiles(event.target.files)} />
        <button disabled={status === 'submitted' || status === 'streaming'}>Send</button>
        <button type="button" onClick={() => stop()}>Stop</button>
        <button type="button" onClick={() => regenerate()}>Again</button>
        <span role="status">{status}</span>
      </form>
    </main>
  );
}

createRoot(document.getElementById('root')).render(<Chat />);
