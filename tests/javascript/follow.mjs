// Follows a session as the live page does, until that is over; prints the states of its connection.
//
//     node --experimental-websocket follow.mjs FOLDER_OF_THE_PAGE URL SESSION_ID

const [folder, url, sessionId] = process.argv.slice(2);
const fetchByUrl = fetch;

globalThis.location = new URL(url);
globalThis.fetch = (path, options) => fetchByUrl(new URL(path, url), options);

const { LiveConnection } = await import(`${folder}/live.js`);
new LiveConnection(sessionId, {
  onMessage: ({ type }) => console.log(type),
  onState: (state, code) => console.log(code === undefined ? state : `${state} ${code}`),
});
