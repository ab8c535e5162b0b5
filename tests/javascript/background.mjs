// A live connection in a page that is woken once a minute, whose service answers every ping, and
// then none; prints what the connection does, by the minute.
//
//     node background.mjs FOLDER_OF_THE_PAGE URL SESSION_ID

const [folder] = process.argv.slice(2);
let now = 0;
let tick = () => {};
let answers = true;

Date.now = () => now;
globalThis.setInterval = (look) => {
  tick = look;
};
globalThis.clearInterval = () => {
  tick = () => {};
};
globalThis.setTimeout = () => {};
globalThis.location = new URL("http://localhost/");
globalThis.fetch = async () => ({ ok: true, json: async () => ({ ticket: "t" }) });
globalThis.WebSocket = class {
  static OPEN = 1;
  readyState = 1;
  constructor() {
    queueMicrotask(() => this.onopen());
  }
  send(data) {
    if (answers) this.onmessage({ data: JSON.stringify({ ...JSON.parse(data), type: "pong" }) });
  }
  close() {
    this.onclose({ code: 1006 });
  }
};

const { LiveConnection } = await import(`${folder}/live.js`);
const opened = new Promise((resolve) => {
  new LiveConnection("s1", {
    onMessage() {},
    onState(state) {
      console.log(`${now / 60_000} ${state}`);
      if (state === "open") resolve();
    },
  });
});
await opened;
for (let minute = 1; minute <= 6; minute += 1) {
  answers = minute < 4;
  now = minute * 60_000;
  tick();
}
