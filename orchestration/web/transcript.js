// A session's transcript as its live messages build it. No DOM here.

const PALETTE_SIZE = 8;
/** Seconds; hardly a word is missing where less was lost, and a bot may make thousands of these. */
const LEAST_LOST_S = 1;
/** The same for what a bot did not send, which may be the silence that it leaves out. */
const LEAST_SKIPPED_S = 10;
const ENDED = new Set(["completed", "failed"]);

export class Transcript {
  session = {};
  status = "created";
  detail = "";
  finals = new Map();
  pending = new Map();
  coverage = [];
  gaps = [];
  lag = 0;
  alert = "";
  truncated = false;
  #colours = new Map();
  /** Names and translations, by line, of lines that a truncated snapshot left out. */
  #awaited = new Map();

  /** Takes a message; returns what changed: "all", "pending", "lost", "state", or a list of segments. */
  apply(message) {
    switch (message.type) {
      case "snapshot":
        return this.#snapshot(message);
      case "segment":
        if (message.corrected) this.#heardAfterAll(message.segment);
        return this.#segment(message.segment);
      case "retract":
        return this.#retract(message.segment_id);
      case "translation":
        return this.#translation(message);
      case "speaker":
        return this.#speaker(message);
      case "resumed":
        // What is pending still is told anew.
        this.pending.clear();
        return "pending";
      case "status":
        this.status = message.status;
        this.detail = message.detail ?? "";
        if (!ENDED.has(this.status)) return "state";
        this.pending.clear();
        return "pending";
      case "session": {
        const { language, target_languages } = message;
        this.session = { ...this.session, language, target_languages };
        return "state";
      }
      case "gap":
        this.gaps.push(message);
        return "lost";
      case "coverage":
        this.coverage = message.streams;
        return "state";
      case "lag":
        this.lag = message.seconds;
        return "state";
      case "alert":
        this.alert = message.message;
        return "state";
      default:
        return "state";
    }
  }

  /** Adds final segments that a truncated snapshot left out; what is newer here stays. */
  addEarlier(segments) {
    for (const segment of segments) {
      const { segment_id: id } = segment;
      if (this.finals.has(id)) continue;
      const { revision, speaker, translations } = this.#awaited.get(id) ?? {};
      if (revision > segment.revision) Object.assign(segment, { revision, speaker });
      if (translations) segment.translations = { ...segment.translations, ...translations };
      this.finals.set(id, segment);
    }
    this.#awaited.clear();
    this.truncated = false;
  }

  /** Takes the coverage as stored. What was lost while it was under way may not be in it. */
  takeCoverage({ streams, gaps }) {
    this.coverage = streams;
    this.gaps = ENDED.has(this.status) ? gaps : [...gaps, ...this.gaps];
  }

  /** Where lines may be missing, in order: `{start, end}` in seconds. */
  lost() {
    const spans = [];
    const told = this.gaps.filter(
      ({ start, end, reason }) => reason !== "capture_skipped" || end - start >= LEAST_SKIPPED_S,
    );
    for (const { start, end } of told.sort((a, b) => a.start - b.start)) {
      const last = spans.at(-1);
      if (last && start <= last.end) last.end = Math.max(last.end, end);
      else spans.push({ start, end });
    }
    return spans.filter(({ start, end }) => end - start >= LEAST_LOST_S);
  }

  /** Gives a speaker's lines another name; a feed that is over tells of it no more. */
  rename(speakerId, name) {
    const named = [...this.finals.values()].filter((one) => one.speaker?.id === speakerId);
    for (const segment of named) segment.speaker = { ...segment.speaker, name };
    return named;
  }

  inOrder() {
    return [...this.finals.values()].sort((a, b) => a.start - b.start);
  }

  pendingInOrder() {
    return [...this.pending.values()].filter((one) => one.text).sort((a, b) => a.start - b.start);
  }

  /**
   * A palette index for a speaker, or null. The id decides, so that a colour survives a reload;
   * who comes second to a taken one moves on, so that two share one only when all are used.
   */
  colour(speaker) {
    if (!speaker) return null;
    if (!this.#colours.has(speaker.id)) {
      let index = 0;
      for (const character of speaker.id) index += character.codePointAt(0) * 31;
      index %= PALETTE_SIZE;
      const taken = new Set(this.#colours.values());
      while (taken.has(index) && taken.size < PALETTE_SIZE) index = (index + 1) % PALETTE_SIZE;
      this.#colours.set(speaker.id, index);
    }
    return this.#colours.get(speaker.id);
  }

  #snapshot(message) {
    this.session = message.session ?? {};
    this.status = this.session.status ?? this.status;
    this.detail = this.session.status_detail ?? "";
    this.truncated = message.truncated;
    this.gaps = [];
    this.finals.clear();
    this.pending.clear();
    this.#awaited.clear();
    for (const segment of message.segments) this.#segment(segment);
    return "all";
  }

  #segment(segment) {
    if (segment.state === "pending") {
      // One that was on its way while it became final is no news.
      if (!this.finals.has(segment.segment_id)) this.pending.set(segment.stream, segment);
      return "pending";
    }
    const waiting = this.pending.get(segment.stream);
    if (waiting && (waiting.end <= segment.end || waiting.segment_id === segment.segment_id)) {
      this.pending.delete(segment.stream);
    }
    this.finals.set(segment.segment_id, segment);
    return [segment];
  }

  #heardAfterAll({ stream, start, end }) {
    this.gaps = this.gaps.flatMap((gap) => {
      if (gap.stream !== stream || gap.end <= start || gap.start >= end) return [gap];
      const [before, after] = [{ ...gap, end: start }, { ...gap, start: end }];
      return [before, after].filter((left) => left.start < left.end);
    });
  }

  #retract(segmentId) {
    for (const [stream, segment] of this.pending) {
      if (segment.segment_id === segmentId) this.pending.delete(stream);
    }
    return "pending";
  }

  #translation({ segment_id: segmentId, language, text, state }) {
    const segment = this.finals.get(segmentId) ?? this.#earlier(segmentId);
    segment.translations = { ...segment.translations, [language]: { text, state } };
    return this.finals.has(segmentId) ? [segment] : [];
  }

  /** What is known of a line that is not here yet. */
  #earlier(segmentId) {
    if (!this.truncated) return {};
    if (!this.#awaited.has(segmentId)) this.#awaited.set(segmentId, {});
    return this.#awaited.get(segmentId);
  }

  #speaker({ speaker, segments }) {
    const changed = [];
    for (const { segment_id: segmentId, revision } of segments) {
      const segment = this.finals.get(segmentId) ?? this.#earlier(segmentId);
      segment.speaker = speaker;
      segment.revision = revision;
      if (this.finals.has(segmentId)) changed.push(segment);
    }
    return changed;
  }
}
