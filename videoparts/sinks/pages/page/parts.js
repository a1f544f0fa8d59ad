// The parts as the edits leave them. The edits are a log: undo makes it shorter, and the parts are made from it anew.

class Parts {
  constructor(facts) {
    this.facts = facts;
    this.log = [];
    this.undone = [];
    this.savedText = this.text();
    this.replay();
  }

  replay() {
    const area = this.facts.area;
    this.list = this.facts.parts.map((part, k) => ({ ...part, members: [k] }));
    this.become = new Uint8Array(256); // what each label of the clip has become
    for (const part of this.list) this.become[part.number] = part.number;
    for (const edit of this.log) this.apply(edit);
    for (const part of this.list) {
      const [first, ...others] = part.members;
      part.area = others.length ? area[first].map((share, f) => others.reduce((sum, k) => sum + area[k][f], share)) : area[first];
    }
  }

  apply(edit) {
    if (edit.do === "rename") this.part(edit.part).name = edit.name;
    if (edit.do === "recolor") this.part(edit.part).colour = edit.colour;
    if (edit.do === "merge") {
      const [first, ...others] = edit.parts.map((number) => this.part(number));
      first.name = edit.name;
      for (const other of others) {
        first.members = first.members.concat(other.members);
        this.remove(other.number, first.number);
      }
    }
    if (edit.do === "drop") for (const number of edit.parts) this.remove(number, 0);
  }

  remove(number, instead) {
    this.list = this.list.filter((part) => part.number !== number);
    this.become.forEach((now, label) => {
      if (now === number) this.become[label] = instead;
    });
  }

  part(number) {
    return this.list.find((part) => part.number === number);
  }

  // Why a part cannot have a name; null: it can. As strict as the program that reads the edits.
  refusal(number, name) {
    if (!name) return "A part needs a name.";
    if (/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(name)) return "A name is one line of printable text.";
    if (name.includes(",")) return "A name has no comma: lists of parts have commas.";
    if (/^\p{Nd}+$/u.test(name)) return "A name is more than a number.";
    if (this.list.some((part) => part.number !== number && part.name === name)) return `There is a part called “${name}” already.`;
    return null;
  }

  edit(edit) {
    this.log.push(edit);
    this.undone = [];
    this.replay();
  }

  undo() {
    if (!this.log.length) return null;
    const edit = this.log.pop();
    this.undone.push(edit);
    this.replay();
    return edit;
  }

  redo() {
    if (!this.undone.length) return null;
    const edit = this.undone.pop();
    this.log.push(edit);
    this.replay();
    return edit;
  }

  get unsaved() {
    return this.text() !== this.savedText;
  }

  // The content of edits.json, one edit a line.
  text() {
    const lines = this.log.map((edit) => `  ${JSON.stringify(edit)}`);
    return `{"format": "videoparts.edits/1", "edits": [${lines.length ? `\n${lines.join(",\n")}\n` : ""}]}\n`;
  }
}
