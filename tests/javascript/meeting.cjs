// A meeting by socket.io-client: node meeting.cjs URL SESSION_ID PCM_FILE
//
// Joins the session, sends the first half of the audio, hears and reads what was said, leaves, sends the rest, loses
// its connection, and resumes. The audio is 16 kHz, mono, s16le. What came is printed as one line of JSON.
const fs = require("node:fs");
const { io } = require("socket.io-client");

const [url, sessionId, pcmFile] = process.argv.slice(2);
const CHUNK_BYTES = 32000;
const PATIENCE_MS = 120000;

const socket = io(url, { transports: ["websocket"], reconnectionDelay: 100, forceNew: true });
const told = [];
const waiting = [];

socket.onAny((event, body) => {
  told.push({ event, body });
  for (const look of [...waiting]) look();
});

function next(event, suits = () => true) {
  return new Promise((resolve) => {
    const look = () => {
      const at = told.findIndex((one) => one.event === event && suits(one.body));
      if (at < 0) return false;
      const index = waiting.indexOf(look);
      if (index >= 0) waiting.splice(index, 1);
      resolve(told.splice(at, 1)[0].body);
      return true;
    };
    if (!look()) waiting.push(look);
  });
}

const ask = (event, body) => socket.timeout(PATIENCE_MS).emitWithAck(event, body);
const message = (type, rest = {}) => ask("service_message", { type, ...rest });
const finalLine = () => next("segment", (body) => body.segment.state === "final");

async function send(chunks, first) {
  const answers = [];
  for (const [index, chunk] of chunks.entries()) {
    // Bytes and base64 in turn: both are audio.
    const audio = index % 2 ? chunk.toString("base64") : chunk;
    const body = { session_id: sessionId, sequence: first + index, audio_data: audio };
    answers.push((await ask("transcription_stream", body)).status);
  }
  return answers;
}

async function meeting() {
  const pcm = fs.readFileSync(pcmFile);
  const chunks = [];
  for (let at = 0; at < pcm.length; at += CHUNK_BYTES) chunks.push(pcm.subarray(at, at + CHUNK_BYTES));
  const half = Math.ceil(chunks.length / 2);

  const greeting = await next("connected");
  const subscribed = await ask("subscribe", { service: "database" });
  const heartbeat = await message("heartbeat");
  const joined = await message("join_session", { session_id: sessionId });
  await next("snapshot");
  const speaker = { participant_id: "ana", name: "Ana", stream: 0 };
  const answers = await send(chunks.slice(0, 1), 0);
  const started = await ask("speaker_stream", { ...speaker, event: "start", sample: 0, fact: 0 });
  answers.push(...(await send(chunks.slice(1, half), 1)));
  const line = await finalLine();
  const translation = await next("translation");
  const left = await message("leave_session");
  answers.push(...(await send(chunks.slice(half), half)));

  const reconnected = next("connected");
  socket.io.engine.close();
  await reconnected;
  const repeated = await send(chunks.slice(-1), chunks.length - 1);
  await message("join_session", { session_id: sessionId, after: translation.seq });
  const resumed = await next("resumed");
  const later = await next("segment", (body) => body.segment.state === "final" && body.seq > translation.seq);
  return {
    statuses: [greeting.status, subscribed.status, heartbeat.status, joined.status, started.status, left.status],
    stored: answers.filter((status) => status === "stored").length,
    repeated,
    heard: line.segment.text,
    translated: translation.text,
    after: resumed.after - translation.seq,
    later: later.segment.text,
  };
}

const late = setTimeout(() => {
  console.error("too late; the last events:", JSON.stringify(told.slice(-5)));
  process.exit(1);
}, PATIENCE_MS);
meeting().then(
  (result) => {
    console.log(JSON.stringify(result));
    clearTimeout(late);
    socket.close();
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
