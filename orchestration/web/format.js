// Numbers and moments as a reader sees them.

/** Session time in seconds as 1:05 or 1:02:05. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** A length of audio: tenths of a second while they matter. */
export function duration(seconds) {
  return seconds < 600 ? `${seconds.toFixed(1)} s` : clock(seconds);
}

/** A past moment, in words while it is recent. */
export function moment(iso, now = Date.now()) {
  const then = Date.parse(iso);
  if (Number.isNaN(then)) return "";
  const minutes = Math.floor((now - then) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  const sameDay = new Date(now).toDateString() === new Date(then).toDateString();
  const time = { hour: "2-digit", minute: "2-digit" };
  return new Date(then).toLocaleString(
    undefined,
    sameDay ? time : { ...time, day: "numeric", month: "short" },
  );
}

/** An element with a class and text; text is never markup. */
export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
