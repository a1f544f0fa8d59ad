// The list of the parts. Names go into it as text and values, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const SPARK = { width: 300, height: 26 };

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function makeSvg(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// Where a frame lies in a sparkline: the middle of its share of the width.
function sparkX(frame, frames) {
  return ((frame + 0.5) / frames) * SPARK.width;
}

// The line of an area over time; of long clips, the largest value of each column.
function sparkLine(area) {
  const most = Math.max(1e-9, area.reduce((a, b) => Math.max(a, b), 0));
  const step = Math.max(1, Math.ceil(area.length / SPARK.width));
  const points = [];
  for (let first = 0; first < area.length; first += step) {
    const some = area.slice(first, first + step);
    const x = sparkX(first + (some.length - 1) / 2, area.length);
    points.push(`${x.toFixed(1)} ${(SPARK.height - (Math.max(...some) / most) * (SPARK.height - 2)).toFixed(1)}`);
  }
  return `M${points.join("L")}`;
}

// What lies below such a line.
function sparkFill(line) {
  const points = line.slice(1).split("L");
  const [first, last] = [points[0], points[points.length - 1]].map((point) => point.split(" ")[0]);
  return `${line}L${last} ${SPARK.height}L${first} ${SPARK.height}Z`;
}

class PartList {
  // actions: rename(number, name), recolour(number, colour), preview(number, colour), show(number, on), solo(number),
  // go(frame), ticked()
  constructor(element, parts, view, frames, actions) {
    this.element = element;
    this.parts = parts;
    this.view = view;
    this.frames = frames;
    this.actions = actions;
    this.rows = new Map();
    this.frame = 0;
  }

  get ticked() {
    return this.parts.list.map((part) => part.number).filter((number) => this.rows.get(number)?.tick.checked);
  }

  untick() {
    for (const row of this.rows.values()) row.tick.checked = false;
  }

  // The rows as the parts are now. Rows that stay keep their focus.
  update() {
    const numbers = this.parts.list.map((part) => part.number);
    for (const [number, row] of this.rows) {
      if (numbers.includes(number)) continue;
      row.item.remove();
      this.rows.delete(number);
    }
    this.parts.list.forEach((part, place) => {
      let row = this.rows.get(part.number);
      if (!row) {
        row = this.row(part.number);
        this.rows.set(part.number, row);
      }
      if (this.element.children[place] !== row.item) this.element.insertBefore(row.item, this.element.children[place] ?? null);
      row.key.textContent = place < 9 ? place + 1 : "";
      row.name.value = part.name;
      row.colour.value = part.colour;
      const line = sparkLine(part.area);
      row.line.setAttribute("d", line);
      row.fill.setAttribute("d", sparkFill(line));
      for (const [control, what] of [
        [row.tick, "Tick"],
        [row.colour, "Colour of"],
        [row.name, "Name of"],
        [row.solo, "Only"],
        [row.shown, "Show"],
      ]) control.setAttribute("aria-label", `${what} ${part.name}`);
    });
    this.look();
    this.mark(this.frame);
  }

  row(number) {
    const { actions } = this;
    const row = {
      key: make("span", { class: "key", "aria-hidden": "true" }),
      tick: make("input", { type: "checkbox", title: "Tick to merge or drop" }),
      colour: make("input", { type: "color", title: "Colour" }),
      name: make("input", { type: "text", class: "name", spellcheck: "false", autocomplete: "off", title: "Name" }),
      share: make("span", { class: "share" }),
      solo: make("button", { type: "button", class: "small", "aria-pressed": "false", title: "Show only this part" }, "Solo"),
      shown: make("input", { type: "checkbox", role: "switch", title: "Show or hide" }),
      spark: makeSvg("svg", { class: "spark", viewBox: `0 0 ${SPARK.width} ${SPARK.height}`, preserveAspectRatio: "none", "aria-hidden": "true" }),
      fill: makeSvg("path", { class: "fill" }),
      line: makeSvg("path", { class: "top" }),
      now: makeSvg("line", { class: "now", y1: 0, y2: SPARK.height }),
    };
    const floor = makeSvg("line", { class: "floor", x1: 0, x2: SPARK.width, y1: SPARK.height, y2: SPARK.height });
    row.spark.append(floor, row.fill, row.line, row.now);
    row.item = make(
      "li",
      { class: "part" },
      make("div", { class: "row" }, row.key, row.tick, row.colour, row.name, row.share, row.solo, row.shown),
      row.spark,
    );
    row.item.dataset.number = number;
    row.tick.addEventListener("change", () => actions.ticked());
    row.colour.addEventListener("input", () => actions.preview(number, row.colour.value));
    row.colour.addEventListener("change", () => actions.recolour(number, row.colour.value));
    row.name.addEventListener("change", () => {
      actions.rename(number, row.name.value.trim());
      row.name.value = this.parts.part(number)?.name ?? "";
    });
    row.name.addEventListener("keydown", (event) => {
      if (event.key === "Escape") row.name.value = this.parts.part(number).name;
      if (event.key === "Escape" || (event.key === "Enter" && !event.isComposing)) row.name.blur();
    });
    row.solo.addEventListener("click", () => actions.solo(number));
    row.shown.addEventListener("change", () => actions.show(number, row.shown.checked));
    row.spark.addEventListener("click", (event) => {
      const box = row.spark.getBoundingClientRect();
      actions.go(Math.floor(((event.clientX - box.left) / box.width) * this.frames));
    });
    return row;
  }

  // How the rows look, without a change of the parts.
  look() {
    for (const part of this.parts.list) {
      const row = this.rows.get(part.number);
      const solo = this.view.solo === part.number;
      const colour = this.view.preview?.number === part.number ? this.view.preview.colour : part.colour;
      row.shown.checked = !this.view.hidden.has(part.number);
      row.item.classList.toggle("off", !this.view.shows(part.number));
      row.item.classList.toggle("solo", solo);
      row.item.classList.toggle("under", this.view.under === part.number);
      row.solo.setAttribute("aria-pressed", String(solo));
      row.fill.setAttribute("fill", colour);
      row.line.setAttribute("stroke", colour);
    }
  }

  // The current frame in every row.
  mark(frame) {
    this.frame = frame;
    const x = sparkX(frame, this.frames).toFixed(1);
    for (const part of this.parts.list) {
      const row = this.rows.get(part.number);
      row.now.setAttribute("x1", x);
      row.now.setAttribute("x2", x);
      row.share.textContent = `${(part.area[frame] * 100).toFixed(1)} %`;
    }
  }
}
