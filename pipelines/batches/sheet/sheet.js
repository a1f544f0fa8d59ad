"use strict";
// Shows the cards that were asked for, in the order that was asked for. The page is whole without it.
{
  const one = (id) => document.getElementById(id);
  const controls = one("controls"), list = one("clips"), name = one("name"), order = one("order");
  const number = (text) => (text === undefined ? null : Number(text));
  const clips = [...list.children].map((card, place) => ({
    card,
    place,
    name: card.querySelector("h2").textContent,
    status: card.dataset.status,
    coverage: number(card.dataset.coverage),
    frames: number(card.dataset.frames),
  }));
  const names = new Intl.Collator(undefined, { numeric: true });
  // What is not known comes last, whichever way.
  const by = (what, sign) => (a, b) =>
    (a[what] === null) - (b[what] === null) || sign * (a[what] - b[what]) || a.place - b.place;
  const orders = {
    "listed": (a, b) => a.place - b.place,
    "name": (a, b) => names.compare(a.name, b.name) || a.place - b.place,
    "least covered": by("coverage", 1),
    "most covered": by("coverage", -1),
    "fewest frames": by("frames", 1),
    "most frames": by("frames", -1),
  };
  const plain = (text) => text.normalize("NFKC").toLowerCase();

  function find() {
    const wanted = plain(name.value.trim()), status = controls.elements["status"].value;
    let count = 0;
    for (const clip of clips) {
      const there = plain(clip.name).includes(wanted) && (!status || clip.status === status);
      clip.card.hidden = !there;
      count += there;
    }
    one("shown").textContent = count === clips.length ? "" : `${count} of ${clips.length}`;
    one("none").hidden = count > 0 || !clips.length;
  }

  function sort() {
    list.replaceChildren(); // taking ten thousand cards out one by one takes a minute
    list.append(...clips.sort(orders[order.value]).map((clip) => clip.card));
  }

  name.addEventListener("input", find);
  controls.addEventListener("change", find);
  order.addEventListener("change", sort);
  controls.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== name && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      name.select();
    }
  });
  controls.hidden = false;
  // A browser that comes back to the page keeps what was chosen.
  find();
  if (order.value !== "listed") sort();
}
