// Follows a session as the live page does, until that is over; prints the states of its connection,
// the messages' types, and the languages that a message changed.
//
//     node --experimental-websocket follow.mjs FOLDER_OF_THE_PAGE URL SESSION_ID

const [folder, url, sessionId] = process.argv.slice(2);
const fetchByUrl = fetch;

globalThis.location = new URL(url);
globalThis.fetch = (path, options) => fetchByUrl(new URL(path, url), options);

const { LiveConnection } = await import(`${folder}/live.js`);
const { Transcript } = await import(`${folder}/transcript.js`);
const transcript = new Transcript();
new LiveConnection(sessionId, {
  onMessage: (message) => {
    transcript.apply(message);
    const { session_id, language, target_languages } = transcript.session;
    const languages = `${session_id} ${language} ${target_languages}`;
    console.log(message.type === "session" ? `session ${languages}` : message.type);
  },
  onState: (state, code) => console.log(code === undefined ? state : `${state} ${code}`),
});
