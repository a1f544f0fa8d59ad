// Draws a picture and the labels of the same frame over it.

class Screen {
  constructor(canvas, store, parts, view) {
    this.canvas = canvas;
    this.store = store;
    this.parts = parts;
    this.view = view;
    this.frame = -1; // the frame on the canvas
    this.drawn = 0; // how many different frames have been drawn, one after another
    this.context = canvas.getContext("2d", { alpha: false });
    this.over = document.createElement("canvas");
    this.over.width = canvas.width;
    this.over.height = canvas.height;
    this.overContext = this.over.getContext("2d");
    this.image = this.overContext.createImageData(canvas.width, canvas.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.labels = new Uint8Array(canvas.width * canvas.height);
    this.fills = new Uint32Array(256);
    this.edges = new Uint32Array(256);
    this.held = this.blank();
    this.spare = [];
    this.turn = 0;
    this.turnShown = 0;
    this.changed = () => {};
  }

  blank() {
    const canvas = document.createElement("canvas");
    canvas.width = this.canvas.width;
    canvas.height = this.canvas.height;
    return canvas;
  }

  // Show a picture with its labels; if they are not at hand, when they are, unless a later one was shown meanwhile.
  show(frame, picture) {
    const turn = ++this.turn;
    const copy = this.spare.pop() ?? this.blank();
    copy.getContext("2d", { alpha: false }).drawImage(picture, 0, 0, copy.width, copy.height);
    const finish = () => {
      if (turn < this.turnShown || !this.store.has(frame)) {
        this.spare.push(copy);
        return;
      }
      this.turnShown = turn;
      this.spare.push(this.held);
      this.held = copy;
      if (frame !== this.frame) this.drawn++;
      this.frame = frame;
      this.relabel();
      this.changed(frame);
    };
    if (this.store.has(frame)) finish();
    else this.store.load(frame).then(finish);
    this.store.loadNext(frame);
  }

  // The labels again, after an edit.
  relabel() {
    if (this.frame < 0 || !this.store.has(this.frame)) return;
    this.store.fill(this.frame, this.parts.become, this.labels);
    this.paint();
  }

  colour() {
    const { view } = this;
    const fills = new Uint8ClampedArray(this.fills.buffer);
    const edges = new Uint8ClampedArray(this.edges.buffer);
    fills.fill(0);
    edges.fill(0);
    for (const part of this.parts.list) {
      if (!view.shows(part.number)) continue;
      const hex = view.preview?.number === part.number ? view.preview.colour : part.colour;
      const rgb = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
      fills.set([...rgb, Math.round(view.opacity * 255)], 4 * part.number);
      edges.set([...rgb, 255], 4 * part.number);
    }
  }

  // The same frame again, after a change of how it is to look.
  paint() {
    if (this.frame < 0) return;
    const { labels, pixels, fills } = this;
    this.colour();
    for (let i = 0; i < labels.length; i++) pixels[i] = fills[labels[i]];
    if (this.view.outline) this.outline();
    this.overContext.putImageData(this.image, 0, 0);
    this.context.drawImage(this.held, 0, 0);
    this.context.drawImage(this.over, 0, 0);
  }

  outline() {
    const { labels, pixels, edges } = this;
    const { width } = this.canvas;
    const mark = (i) => {
      const colour = edges[labels[i]];
      if (colour) pixels[i] = colour;
    };
    const lastRow = labels.length - width;
    for (let i = 0; i < labels.length; i++) {
      const label = labels[i];
      if (i < lastRow && label !== labels[i + width]) {
        mark(i);
        mark(i + width);
      }
      if (label !== labels[i + 1] && (i + 1) % width) {
        mark(i);
        mark(i + 1);
      }
    }
  }

  // The part at a place of the window, 0 for none.
  partAt(x, y) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor(((x - box.left) / box.width) * this.canvas.width);
    const row = Math.floor(((y - box.top) / box.height) * this.canvas.height);
    const inside = column >= 0 && row >= 0 && column < this.canvas.width && row < this.canvas.height;
    return inside && this.frame >= 0 ? this.labels[row * this.canvas.width + column] : 0;
  }
}
