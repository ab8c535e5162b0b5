// A WebSocket by hand: what is sent and what comes, as it is.

import { socketUrl } from "./api.js";

const LINES_KEPT = 500;
/** A browser does not tell a page with which status a WebSocket was refused. */
const REFUSED = "(refused: there is no such path or session, or the service does not answer)";
const byId = (id) => document.getElementById(id);

export class TrialConsole {
  #socket = null;
  #log = byId("socket-log");

  constructor() {
    byId("connect-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#connect(byId("socket-path").value.trim());
    });
    byId("message-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(byId("message").value);
    });
    byId("disconnect").addEventListener("click", () => this.#socket?.close(1000));
  }

  async #connect(path) {
    byId("connect").disabled = true;
    try {
      if (!path.startsWith("/")) throw new Error("A path begins with a slash.");
      const socket = new WebSocket(await socketUrl(path));
      this.#socket = socket;
      let opened = false;
      socket.onopen = () => {
        opened = true;
        this.#opened(path);
      };
      socket.onmessage = ({ data }) => {
        this.#line(typeof data === "string" ? `< ${data}` : `< (${data.size} bytes)`);
      };
      socket.onclose = ({ code, reason }) => {
        this.#closed(opened ? `(closed with ${code}) ${reason}` : REFUSED);
      };
    } catch (problem) {
      this.#closed(`(${problem.message})`);
    }
  }

  #opened(path) {
    this.#line(`(connected to ${path})`);
    this.#isConnected(true);
  }

  #closed(said) {
    this.#socket = null;
    this.#line(said);
    this.#isConnected(false);
  }

  #isConnected(yes) {
    byId("connect").hidden = yes;
    byId("connect").disabled = false;
    byId("disconnect").hidden = !yes;
    byId("send").disabled = !yes;
  }

  #send(text) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(text);
    this.#line(`> ${text}`);
  }

  #line(text) {
    this.#log.append(document.createTextNode(`${text}\n`));
    while (this.#log.childNodes.length > LINES_KEPT) this.#log.firstChild.remove();
    this.#log.scrollTop = this.#log.scrollHeight;
  }
}
