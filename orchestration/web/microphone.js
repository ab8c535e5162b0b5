// The microphone's samples, a tenth of a second at a time.

const MOST_SAMPLES_PER_S = 48_000;

export class Microphone {
  onSamples = () => {};
  #context;
  #stream;

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
  }

  get sampleRate() {
    return this.#context.sampleRate;
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
    const blocks = new AudioWorkletNode(this.#context, "tenths", { numberOfOutputs: 0 });
    blocks.port.onmessage = ({ data }) => this.onSamples(data);
    this.#context.createMediaStreamSource(this.#stream).connect(blocks);
  }
}
