// One stream of one person into a new session. A connection that is lost ends it.

import { socketUrl } from "./api.js";
import { ingestFrame, samplesOf } from "./ingest_frame.js";

const FRAMES_BETWEEN_CLOCKS = 50;

export class IngestSender {
  #socket;
  #onOver;
  #isOver = false;
  #window = 0;
  #frameSamples = Infinity;
  #seq = 0;
  #sample = 0;
  #facts = 0;
  #unacked = new Map();

  /** Resolves when the service takes audio; `onOver(said)` when it does not any more. */
  static async open(sessionId, sampleRate, onOver) {
    const url = await socketUrl(`/ws/ingest/${encodeURIComponent(sessionId)}`);
    return new Promise((resolve, reject) => {
      const sender = new IngestSender(new WebSocket(url), onOver);
      sender.#listen(sampleRate, () => resolve(sender), reject);
    });
  }

  constructor(socket, onOver) {
    this.#socket = socket;
    this.#onOver = onOver;
  }

  /** Sends samples, in frames as large as the service takes. Beyond its window they are skipped,
   * and are counted there as lost. */
  send(samples) {
    for (let start = 0; start < samples.length; start += this.#frameSamples) {
      this.#sendFrame(samples.subarray(start, start + this.#frameSamples));
    }
    // A clock tells of the last sample, which was captured just now.
    if (this.#facts < Math.ceil(this.#seq / FRAMES_BETWEEN_CLOCKS)) {
      const clock = { type: "clock", fact: this.#facts++, stream: 0, sample: this.#sample };
      this.#say({ ...clock, unix_ms: Date.now() });
    }
  }

  #sendFrame(samples) {
    const first = this.#sample;
    this.#sample += samples.length;
    if (this.#unacked.size >= this.#window || this.#socket.readyState !== WebSocket.OPEN) return;
    const frame = ingestFrame(this.#seq, first, samples);
    this.#unacked.set(this.#seq, frame);
    this.#socket.send(frame);
    this.#seq += 1;
  }

  /** Nothing more comes; the service hears what it has to the end. */
  end() {
    if (this.#isOver) return;
    this.#isOver = true;
    const streams = [{ id: 0, last_seq: this.#seq - 1 }];
    this.#say({ type: "end", streams, last_fact: this.#facts - 1 });
  }

  #say(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #listen(sampleRate, onWelcome, onRefused) {
    const stream = { id: 0, encoding: "s16le", sample_rate: sampleRate, channels: 1 };
    const participant = { id: "microphone", name: "You" };
    const streams = [{ ...stream, participant }];
    this.#socket.onopen = () => this.#say({ type: "hello", protocol: 1, streams });
    this.#socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "welcome") onWelcome();
      this.#receive(message);
    };
    this.#socket.onclose = ({ code, reason }) => {
      const said = `The connection closed with ${code}. ${reason}`;
      onRefused(new Error(said));
      if (!this.#isOver) this.#onOver(said);
      this.#isOver = true;
    };
  }

  #receive(message) {
    if (message.type === "welcome") {
      this.#window = message.streams[0].window;
      this.#frameSamples = samplesOf(message.max_frame_bytes);
    } else if (message.type === "nack") {
      for (const [seq, frame] of this.#unacked) if (seq >= message.expected) this.#socket.send(frame);
    } else if (message.type === "ack") {
      for (const { upto, window } of message.streams) {
        this.#window = window;
        for (const seq of this.#unacked.keys()) if (seq <= upto) this.#unacked.delete(seq);
      }
    }
  }
}
