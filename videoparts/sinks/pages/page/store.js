// What the page holds: facts, the clip, and the labels of every frame.

function bytesOf(element) {
  const text = element.textContent;
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

function readFacts() {
  return JSON.parse(document.getElementById("facts").textContent);
}

// The address of the clip in memory. The text that it came as is let go.
function takeClip() {
  const pieces = [];
  for (const element of document.querySelectorAll("script.clip")) {
    pieces.push(bytesOf(element));
    element.remove();
  }
  return URL.createObjectURL(new Blob(pieces, { type: "video/webm" }));
}

// The labels, a group of frames inflated at a time. A few groups are kept, as runs: a frame's pixels are filled in
// when it is shown.
class LabelStore {
  constructor(facts) {
    this.size = facts.group;
    this.count = facts.times.length;
    this.elements = [...document.querySelectorAll("script.labels")];
    this.groups = new Map(); // by number, the one used last at the end
    this.coming = new Map();
    this.kept = 8;
  }

  has(frame) {
    return this.groups.has(Math.floor(frame / this.size));
  }

  // Settles when the labels of the frame can be filled in.
  load(frame) {
    const number = Math.floor(frame / this.size);
    if (this.groups.has(number)) return Promise.resolve();
    if (!this.coming.has(number)) {
      const done = () => this.coming.delete(number);
      const loading = this.inflate(number);
      this.coming.set(number, loading);
      loading.then(done, done);
    }
    return this.coming.get(number);
  }

  // The group after the frame's, so that playing need not wait for it.
  loadNext(frame) {
    const next = (Math.floor(frame / this.size) + 1) * this.size;
    if (next < this.count) this.load(next).catch(() => {});
  }

  async inflate(number) {
    const stream = new Blob([bytesOf(this.elements[number])]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const frames = Math.min(this.size, this.count - number * this.size);
    const counts = new DataView(bytes.buffer);
    const starts = [0];
    for (let i = 0; i < frames; i++) starts.push(starts[i] + counts.getUint32(4 * i, true));
    const runs = starts[frames];
    const plane = (k) => bytes.subarray(4 * frames + k * runs, 4 * frames + (k + 1) * runs);
    this.groups.set(number, { starts, values: plane(0), low: plane(1), high: plane(2) });
    if (this.groups.size > this.kept) this.groups.delete(this.groups.keys().next().value);
  }

  // Fill `out` with the labels of a frame, each replaced by what `table` says of it.
  fill(frame, table, out) {
    const number = Math.floor(frame / this.size);
    const group = this.groups.get(number);
    this.groups.delete(number);
    this.groups.set(number, group);
    const { starts, values, low, high } = group;
    const end = starts[(frame % this.size) + 1];
    let place = 0;
    for (let r = starts[frame % this.size]; r < end; r++) {
      const after = place + low[r] + (high[r] << 8);
      out.fill(table[values[r]], place, after);
      place = after;
    }
  }
}
