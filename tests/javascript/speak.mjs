// Speaks into a session as the page to try audio does.
//
//     node --experimental-websocket speak.mjs FOLDER_OF_THE_PAGE URL SESSION_ID

const [folder, url, sessionId] = process.argv.slice(2);
const fetchByUrl = fetch;

globalThis.location = new URL(url);
globalThis.fetch = (path, options) => fetchByUrl(new URL(path, url), options);

const { IngestSender } = await import(`${folder}/ingest_sender.js`);
const sender = await IngestSender.open(sessionId, 16_000, (said) => {
  throw new Error(said);
});
for (let tenth = 0; tenth < 12; tenth += 1) sender.send(new Float32Array(1600).fill(tenth / 10));
sender.end();
