// The page: its controls, the pointer and the keys.

(() => {
  const at = (id) => document.getElementById(id);
  const facts = readFacts();
  const frames = facts.times.length;
  const canvas = at("canvas");
  canvas.width = facts.width;
  canvas.height = facts.height;
  document.documentElement.style.setProperty("--ratio", String(facts.width / facts.height));

  const view = {
    opacity: 0.5,
    outline: false,
    solo: 0, // the only part shown, 0 for all
    under: 0, // the part under the pointer
    hidden: new Set(),
    preview: null, // a colour that is being chosen
    shows(number) {
      return this.solo ? this.solo === number : !this.hidden.has(number);
    },
  };
  const store = new LabelStore(facts);
  const parts = new Parts(facts);
  const screen = new Screen(canvas, store, parts, view);
  const player = new Player(at("video"), facts.times, (frame, picture) => screen.show(frame, picture));
  const list = new PartList(at("list"), parts, view, frames, {
    rename,
    recolour,
    show,
    solo,
    go: (frame) => player.go(frame),
    ticked: updateButtons,
    preview(number, colour) {
      view.preview = { number, colour };
      look();
    },
  });
  let pointer = null; // where it is over the picture

  // ---- what is said

  function say(text) {
    at("status").textContent = text;
  }

  function clock(ms) {
    const seconds = Math.abs(ms) / 1000;
    const minutes = Math.floor(seconds / 60);
    return `${ms < 0 ? "−" : ""}${minutes}:${(seconds - 60 * minutes).toFixed(3).padStart(6, "0")}`;
  }

  function quoted(number) {
    return `“${parts.part(number)?.name ?? number}”`;
  }

  function place(frame) {
    const source = facts.names ? facts.names[frame] : `source frame ${facts.index[frame]}`;
    return [`${frame + 1} / ${frames}`, clock(facts.start + facts.times[frame]), source];
  }

  screen.changed = (frame) => {
    at("opening").hidden = true;
    const [count, time, source] = place(frame);
    at("place").replaceChildren(...[count, time, source].map((text) => make("span", {}, text)));
    const scrubber = at("scrubber");
    if (player.playing || document.activeElement !== scrubber || player.wanted === frame) scrubber.value = frame;
    scrubber.setAttribute("aria-valuetext", `frame ${frame + 1} of ${frames}, ${time}`);
    list.mark(frame);
    point();
  };

  player.stuck = (frame) => {
    at("scrubber").value = frame;
    say("The browser cannot show that frame.");
  };

  function look() {
    screen.paint();
    list.look();
  }

  function updateButtons() {
    const count = list.ticked.length;
    at("merge").disabled = count < 2;
    at("drop").disabled = count < 1;
    at("undo").disabled = !parts.log.length;
    at("redo").disabled = !parts.undone.length;
    at("save").disabled = !parts.log.length && !parts.unsaved;
    at("none").hidden = parts.list.length > 0;
  }

  function afterEdit() {
    if (!parts.part(view.solo)) view.solo = 0;
    view.preview = null;
    list.update();
    screen.relabel();
    point();
    updateButtons();
  }

  // ---- edits

  function rename(number, name) {
    if (name === parts.part(number)?.name) return;
    const refusal = parts.refusal(number, name);
    if (refusal) {
      say(refusal);
      return;
    }
    const old = quoted(number);
    parts.edit({ do: "rename", part: number, name });
    say(`${old} is now ${quoted(number)}.`);
    afterEdit();
  }

  function recolour(number, colour) {
    view.preview = null;
    if (colour !== parts.part(number).colour) {
      parts.edit({ do: "recolor", part: number, colour });
      say(`${quoted(number)} has a new colour.`);
    }
    afterEdit();
  }

  function merge() {
    const numbers = list.ticked;
    if (numbers.length < 2) {
      say("Tick two or more parts to merge them.");
      return;
    }
    const told = numbers.map(quoted).join(", ");
    parts.edit({ do: "merge", parts: numbers, name: parts.part(numbers[0]).name });
    list.untick();
    say(`Merged ${told}.`);
    afterEdit();
  }

  function drop() {
    const numbers = list.ticked;
    if (!numbers.length) return;
    const told = numbers.map(quoted).join(", ");
    parts.edit({ do: "drop", parts: numbers });
    list.untick();
    say(`Dropped ${told}.`);
    afterEdit();
  }

  function undo() {
    const edit = parts.undo();
    say(edit ? `Undone: ${edit.do}.` : "There is nothing to undo.");
    afterEdit();
  }

  function redo() {
    const edit = parts.redo();
    say(edit ? `Done again: ${edit.do}.` : "There is nothing to redo.");
    afterEdit();
  }

  function save() {
    const address = URL.createObjectURL(new Blob([parts.text()], { type: "application/json" }));
    const link = make("a", { href: address, download: "edits.json" });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
    parts.savedText = parts.text();
    say("Saved edits.json among the downloads.");
    updateButtons();
  }

  // ---- how it looks

  function show(number, on) {
    if (on) view.hidden.delete(number);
    else view.hidden.add(number);
    view.solo = 0;
    look();
  }

  function solo(number) {
    view.solo = number && view.solo !== number ? number : 0;
    say(view.solo ? `Only ${quoted(view.solo)} is shown.` : "");
    look();
  }

  function setOpacity(percent) {
    const value = Math.max(0, Math.min(100, percent));
    at("opacity").value = value;
    view.opacity = value / 100;
    screen.paint();
  }

  function setOutline(on) {
    at("outline").checked = on;
    view.outline = on;
    screen.paint();
  }

  function toggle() {
    if (player.playing) player.pause();
    else player.play();
  }

  function help() {
    if (!at("keys").open) at("keys").showModal();
  }

  // ---- the pointer

  function point() {
    const number = pointer ? screen.partAt(pointer.x, pointer.y) : 0;
    const tip = at("tip");
    tip.hidden = !number;
    if (number) {
      tip.textContent = parts.part(number)?.name ?? "";
      const left = Math.min(pointer.x + 14, window.innerWidth - tip.offsetWidth - 8);
      const top = Math.min(pointer.y + 18, window.innerHeight - tip.offsetHeight - 8);
      tip.style.transform = `translate(${left}px, ${top}px)`;
    }
    if (number !== view.under) {
      view.under = number;
      list.look();
    }
  }

  canvas.addEventListener("pointermove", (event) => {
    pointer = { x: event.clientX, y: event.clientY };
    point();
  });
  canvas.addEventListener("pointerleave", () => {
    pointer = null;
    point();
  });
  canvas.addEventListener("click", (event) => solo(screen.partAt(event.clientX, event.clientY)));

  // ---- controls

  for (const [id, action] of Object.entries({
    play: toggle,
    back: () => player.step(-1),
    forward: () => player.step(1),
    undo,
    redo,
    save,
    help,
    merge,
    drop,
  })) at(id).addEventListener("click", action);
  at("scrubber").max = frames - 1;
  at("scrubber").addEventListener("input", () => player.go(Number(at("scrubber").value)));
  at("rate").addEventListener("change", () => {
    at("video").playbackRate = Number(at("rate").value);
  });
  at("opacity").addEventListener("input", () => setOpacity(Number(at("opacity").value)));
  at("outline").addEventListener("change", () => setOutline(at("outline").checked));
  for (const event of ["play", "pause", "ended"]) {
    at("video").addEventListener(event, () => {
      at("play").classList.toggle("on", player.playing);
      at("play").setAttribute("aria-label", player.playing ? "Pause" : "Play");
    });
  }
  at("video").addEventListener("error", () => {
    at("opening").textContent = "This browser cannot play the clip (VP9 in WebM).";
    at("opening").hidden = false;
  });
  // A button that was clicked with the pointer gives its focus back, so that the space bar plays.
  document.addEventListener("click", (event) => {
    if (event.detail && event.target.closest("button, input[type=checkbox], select")) document.activeElement?.blur();
  });
  window.addEventListener("beforeunload", (event) => {
    if (parts.unsaved) event.preventDefault();
  });

  // ---- keys

  const KEYS = {
    " ": toggle,
    ArrowLeft: (event) => player.step(event.shiftKey ? -10 : -1),
    ArrowRight: (event) => player.step(event.shiftKey ? 10 : 1),
    Home: () => player.go(0),
    End: () => player.go(frames - 1),
    s: () => solo(view.under),
    m: merge,
    o: () => setOutline(!view.outline),
    "[": () => setOpacity(Number(at("opacity").value) - 10),
    "]": () => setOpacity(Number(at("opacity").value) + 10),
    z: undo,
    Z: redo,
    "?": help,
    Escape: () => solo(0),
  };

  // Whether the element that has the focus needs the key itself.
  function needs(element, key) {
    if (at("keys").open) return true;
    if (!element?.matches("input, select, button")) return false;
    if (element.matches("input[type=text], select")) return true;
    if (element.matches("#scrubber")) return false;
    if (element.matches("input[type=range]")) return key.startsWith("Arrow") || key === "Home" || key === "End";
    return key === " ";
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || needs(document.activeElement, event.key)) return;
    const digit = /^[1-9]$/.test(event.key) ? parts.list[Number(event.key) - 1] : null;
    if (digit) show(digit.number, view.solo ? true : view.hidden.has(digit.number));
    else if (Object.hasOwn(KEYS, event.key)) KEYS[event.key](event);
    else return;
    event.preventDefault();
  });

  // ---- begin

  at("title").textContent = facts.title;
  at("summary").textContent = `${frames} ${frames === 1 ? "frame" : "frames"}, ${clock(player.end(frames - 1))}`;
  list.update();
  updateButtons();
  store.load(0);
  at("video").src = takeClip();

  // For looking at from outside; nothing can be changed through it.
  Object.defineProperty(window, "viewer", {
    value: Object.freeze({
      get frame() {
        return screen.frame;
      },
      get wanted() {
        return player.wanted;
      },
      get drawn() {
        return screen.drawn;
      },
      get labels() {
        return screen.labels.slice();
      },
      get edits() {
        return parts.text();
      },
    }),
  });
})();
