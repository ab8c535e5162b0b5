// The microphone's samples, a tenth of a second at a time.

const MOST_SAMPLES_PER_S = 48_000;
/** How long the last samples are waited for: a machine that took its microphone away has none. */
const LAST_SAMPLES_MS = 300;

export class Microphone {
  onSamples = () => {};
  /** Called when the microphone is gone, or not allowed any more. */
  onEnded = () => {};
  #context;
  #stream;
  #blocks = null;

  /** Asks for the microphone; an error when there is none or it is not allowed. */
  static async open() {
    if (!navigator.mediaDevices) {
      throw new Error("Browsers give the microphone to pages by HTTPS or from this machine only.");
    }
    const audio = { channelCount: 1 };
    const stream = await navigator.mediaDevices.getUserMedia({ audio });
    const microphone = new Microphone(stream);
    try {
      await microphone.#start();
    } catch (problem) {
      microphone.close();
      throw problem;
    }
    return microphone;
  }

  constructor(stream) {
    this.#stream = stream;
    this.#context = new AudioContext();
    for (const track of stream.getTracks()) track.addEventListener("ended", () => this.onEnded());
  }

  get sampleRate() {
    return this.#context.sampleRate;
  }

  /** Gives the last samples, then closes. */
  async finish() {
    const { port } = this.#blocks;
    await new Promise((resolve) => {
      setTimeout(resolve, LAST_SAMPLES_MS);
      port.onmessage = ({ data }) => (data ? this.onSamples(data) : resolve());
      port.postMessage("finish");
    });
    this.close();
  }

  close() {
    for (const track of this.#stream.getTracks()) track.stop();
    if (this.#context.state !== "closed") this.#context.close();
  }

  async #start() {
    if (this.sampleRate > MOST_SAMPLES_PER_S) {
      throw new Error(`This machine records ${this.sampleRate} Hz; set it to 48000 Hz or less.`);
    }
    await this.#context.audioWorklet.addModule("/static/microphone_worklet.js");
    this.#blocks = new AudioWorkletNode(this.#context, "tenths", { numberOfOutputs: 0 });
    this.#blocks.port.onmessage = ({ data }) => this.onSamples(data);
    this.#context.createMediaStreamSource(this.#stream).connect(this.#blocks);
  }
}
