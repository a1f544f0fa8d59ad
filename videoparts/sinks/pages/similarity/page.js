// Descriptors are int8 rows, each with a scale: a cosine is the product of two rows and of their scales.

const facts = JSON.parse(document.getElementById("facts").textContent);
const statusLine = document.getElementById("status");
const opacity = document.getElementById("opacity");
const follow = document.getElementById("follow");

function bytesOf(text) {
  const binary = atob(text);
  const out = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) out[i] = binary.charCodeAt(i);
  return out;
}

function held(kind) {
  return [...document.querySelectorAll(`script.${kind}`)].map((element) => element.textContent);
}

const descriptors = held("descriptors").map((text) => new Int8Array(bytesOf(text).buffer));
const scales = held("scale").map((text) => new Float32Array(bytesOf(text).buffer));
const boxes = [...document.querySelectorAll(".picture")];
const captions = [...document.querySelectorAll("figcaption")];
const views = facts.pictures.map((about, k) => ({
  about,
  numbers: descriptors[k],
  scale: scales[k],
  box: boxes[k],
  image: boxes[k].querySelector("img"),
  canvas: boxes[k].querySelector("canvas"),
  heat: document.createElement("canvas"),
  cosines: new Float32Array(about.rows * about.columns),
}));
let asked = { k: 0, x: 0, y: 0 };

// A point in pixels of a picture to the patch whose centre is nearest, and back to that centre.
function patchAt(about, x, y) {
  const along = (v, length, resized, count) =>
    Math.max(0, Math.min(count - 1, Math.floor(((v * resized) / length - about.patch / 2) / about.stride + 0.5)));
  return along(y, about.height, about.gridHeight, about.rows) * about.columns
    + along(x, about.width, about.gridWidth, about.columns);
}

function centreOf(about, patch) {
  const at = (i, length, resized) => ((about.patch / 2 + i * about.stride) * length) / resized;
  return [at(patch % about.columns, about.width, about.gridWidth),
    at(Math.floor(patch / about.columns), about.height, about.gridHeight)];
}

function compare(one, patch, other) {
  const axes = one.about.axes;
  const row = one.numbers.subarray(patch * axes, (patch + 1) * axes);
  for (let j = 0, at = 0; j < other.cosines.length; j++) {
    let sum = 0;
    for (let i = 0; i < axes; i++) sum += row[i] * other.numbers[at++];
    other.cosines[j] = sum * one.scale[patch] * other.scale[j];
  }
}

function best(cosines) {
  let found = 0;
  for (let j = 1; j < cosines.length; j++) if (cosines[j] > cosines[found]) found = j;
  return found;
}

// Both maps in one range of colours, but for the patch that was asked for, which is like nothing as it is like itself.
function paint(view, low, high) {
  const { about, heat, cosines, canvas, image } = view;
  heat.width = about.columns;
  heat.height = about.rows;
  const pixels = new ImageData(about.columns, about.rows);
  for (let j = 0; j < cosines.length; j++) {
    const level = Math.max(0, Math.min(255, Math.round((255 * (cosines[j] - low)) / Math.max(1e-6, high - low))));
    pixels.data.set(facts.colours[level], 4 * j);
    pixels.data[4 * j + 3] = 255;
  }
  heat.getContext("2d").putImageData(pixels, 0, 0);
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(image.clientWidth * ratio));
  canvas.height = Math.max(1, Math.round(image.clientHeight * ratio));
  const pen = canvas.getContext("2d");
  const right = canvas.width / about.gridWidth;
  const down = canvas.height / about.gridHeight;
  const start = (about.patch - about.stride) / 2;
  pen.globalAlpha = opacity.value / 100;
  pen.imageSmoothingEnabled = true;
  pen.imageSmoothingQuality = "high";
  pen.drawImage(heat, start * right, start * down, about.columns * about.stride * right, about.rows * about.stride * down);
  pen.globalAlpha = 1;
  return pen;
}

function ring(view, pen, x, y, colour) {
  const size = view.canvas.height;
  const [cx, cy] = [(x / view.about.width) * view.canvas.width, (y / view.about.height) * size];
  const radius = Math.max(7, size / 60);
  for (const [width, stroke] of [[6, "#000"], [3, colour]]) {
    pen.lineWidth = width;
    pen.strokeStyle = stroke;
    pen.beginPath();
    pen.arc(cx, cy, radius, 0, 2 * Math.PI);
    pen.stroke();
  }
}

function show() {
  const one = views[asked.k];
  const other = views[1 - asked.k];
  const patch = patchAt(one.about, asked.x, asked.y);
  compare(one, patch, other);
  compare(one, patch, one);
  const found = best(other.cosines);
  const low = Math.min(...views.map((view) => view.cosines.reduce((a, b) => Math.min(a, b))));
  const [x, y] = centreOf(other.about, found);
  ring(one, paint(one, low, other.cosines[found]), asked.x, asked.y, "#fff");
  ring(other, paint(other, low, other.cosines[found]), x, y, "#3df");
  statusLine.textContent = `${asked.x.toFixed(1)}, ${asked.y.toFixed(1)} of ${one.about.name}: most alike in `
    + `${other.about.name} is ${x.toFixed(1)}, ${y.toFixed(1)}, cosine ${other.cosines[found].toFixed(3)}`;
}

function ask(k, x, y) {
  const about = views[k].about;
  asked = { k, x: Math.max(0, Math.min(about.width, x)), y: Math.max(0, Math.min(about.height, y)) };
  show();
}

views.forEach((view, k) => {
  captions[k].textContent = `${view.about.name}, ${view.about.width} × ${view.about.height}`;
  view.box.setAttribute("aria-label", `${view.about.name}: arrow keys move the point`);
  const under = (event) => {
    const frame = view.image.getBoundingClientRect();
    ask(k, ((event.clientX - frame.left) / frame.width) * view.about.width,
      ((event.clientY - frame.top) / frame.height) * view.about.height);
  };
  view.box.addEventListener("pointerdown", (event) => {
    view.box.setPointerCapture(event.pointerId);
    under(event);
  });
  view.box.addEventListener("pointermove", (event) => {
    if (follow.checked || event.buttons) under(event);
  });
  view.box.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const from = asked.k === k ? asked : { x: view.about.width / 2, y: view.about.height / 2 };
    const { about } = view;
    ask(k, from.x + (step[0] * about.stride * about.width) / about.gridWidth,
      from.y + (step[1] * about.stride * about.height) / about.gridHeight);
  });
});

opacity.addEventListener("input", show);
window.addEventListener("resize", show);
const pictures = held("picture");
Promise.all(views.map((view, k) => {
  view.image.src = `data:image/jpeg;base64,${pictures[k]}`;
  view.image.draggable = false;
  return view.image.decode();
})).then(() => {
  const { width, height } = views[0].about;
  ask(0, ...(facts.point || [width / 2, height / 2]));
  document.body.dataset.ready = "yes";
});
