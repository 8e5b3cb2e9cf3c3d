// Shows what the stage sends, and says to it what was pressed. A message has
// the parts that have changed, by name: `lane/poll`, `lane/poll/task/00000812`,
// `lane/poll/client/a`, `lesson`, `stage`; null where one has gone.
"use strict";
const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const state = new Map(), shown = new Map(), where = one("#where"), who = one("#who"), note = one("#note");
let step = "", wanted = "", unsaid = [];

// Asking for something

async function say(line) {
  const reply = await fetch("do", { method: "POST", body: line }).catch(() => null);
  note.textContent = !reply ? "zen-live has ended: start it again, and open its address." : await reply.text();
}
const here = (line) => say((where.value && `${where.value}/`) + line);
const names = (lane) => [...state.keys()].map((key) => key.split("/"))
  .filter((it) => it[2] === "client" && (!lane || it[1] === lane)).map((it) => it[3]);

function connect() {
  const taken = names(where.value), letters = [..."abcdefghijklmnopqrstuvwxyz"];
  const name = ["", 1, 2].flatMap((it) => letters.map((letter) => letter + it)).find((it) => !taken.includes(it));
  one("#hint").open = false;
  if (name) choose(name, where.value);
  if (name) here(`${name}: connect`);
}
function choose(client, lane) {
  wanted = client;
  where.value = lane;
  mark();
}
function mark() {
  const known = [...new Set([...names(), wanted])].filter(Boolean).sort();
  if (all("option", who).map((it) => it.value).join() !== known.join()) fill(who, known.map((it) => [it, it]));
  if (wanted) who.value = wanted;
  for (const [key, it] of shown) {
    const [, lane, kind, name] = key.split("/"), isHere = !where.value || lane === where.value;
    const isChosen = isHere && (kind ? name === who.value : !!where.value);
    it.classList.toggle("chosen", isChosen);
    if (kind === "client") it.setAttribute("aria-pressed", isChosen);
  }
}
document.addEventListener("click", ({ target }) => {
  const button = target.closest("button"), { act, line } = button?.dataset ?? {};
  if (act && who.value) here(`${who.value}: ${act}`);
  else if (act) note.textContent = "There is no client yet: press Connect.";
  else if (line) here(line);
  else if (button?.id === "new") connect();
  else if (button?.closest("#lesson")) say(state.get("lesson").question === null ? "lesson" : "next");
});
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select") || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  const button = all("button[data-key]").find((it) => it.dataset.key === (event.key === "ArrowRight" ? "→" : event.key));
  if (button && !button.closest("[hidden]")) button.click();
});
one("#server").addEventListener("submit", (event) => {
  event.preventDefault();
  const fields = [...new FormData(event.target)].filter((it) => it[1]);
  here(["server: restart", ...fields.map((it) => it.join(" "))].join(" "));
});
one("#lessons").addEventListener("change", ({ target }) => say(`lesson ${target.value}`));
where.addEventListener("change", mark);
who.addEventListener("change", () => choose(who.value, where.value));

// Showing what there is

const text = (it, value) => { if (it.textContent !== value) it.textContent = value; };
const clone = (id) => one(id).content.firstElementChild.cloneNode(true);

function fill(select, entries, ...first) {
  const before = select.value;
  select.replaceChildren(...first, ...entries.map(([it, label]) => new Option(label, it)));
  if (entries.some(([it]) => it === before)) select.value = before;
}
// The element of this name, in the order of names in its list.
function place(key, list, make) {
  if (!shown.has(key)) shown.set(key, make());
  const it = shown.get(key), item = it.closest("li") ?? it;
  item.dataset.part = key;
  const after = list && [...list.children].find((other) => other.dataset.part > key);
  if (list && item.parentElement !== list) list.insertBefore(item, after ?? null);
  return it;
}
function lane(name) {
  return place(`lane/${name}`, null, () => {
    const it = clone("#lane");
    it.dataset.lane = name;
    it.setAttribute("aria-label", name);
    text(one("h2", it), name);
    return it;
  });
}
const counted = (n, one, many) => `${n} ${n === 1 ? one : many}`;
const took = (ms) => ms === null ? "" : ms < 100 ? " at once" : ` after ${(ms / 1000).toFixed(1)} s`;
const parts = {
  lane(key, name, value) {
    const it = lane(name), link = one("a", it), [held, queued, gone] = value.crowd;
    link.hidden = !value.page;
    link.href = `book/${value.page}`;
    link.setAttribute("aria-label", `${name} in the book`);
    const crowd = [[held, "accepted"], [queued, "in the queue"], [gone, "gone"]].filter((it) => it[0]);
    const silent = crowd.length ? `${held + queued + gone} silent: ${crowd.map((it) => it.join(" ")).join(", ")}` : "";
    for (const [selector, says] of Object.entries({
      ".about": `${value.about.replace("7-", "7\u2011")} ${value.options}`,
      ".counts": value.threads ? `${counted(value.threads, "thread", "threads")}, ${
        counted(value.processes, "process", "processes")}` : "",
      ".ended": value.ended,
      ".length": String(value.queue),
      ".crowd": [silent, value.flood].filter(Boolean).join("; "),
      ".numbers": value.numbers,
    })) text(one(selector, it), says);
    one(".length", it).classList.toggle("some", value.queue > 0);
  },
  more: (key, name, value) => text(one(".more", lane(name)), value),
  task(key, name, value) {
    const it = place(key, one(".tasks", lane(name)), () => clone("#task"));
    it.className = `task ${value.state}${it.classList.contains("chosen") ? " chosen" : ""}`;
    text(one("b", it), value.name);
    text(one("span > span", it), value.says + (value.client ? `, ${value.inferred ? "perhaps " : ""}for ${value.client}` : ""));
  },
  client(key, name, value, id) {
    const it = place(key, one(value.place === "queued" ? ".queue" : ".held", lane(name)), () => {
      const made = one("button", clone("#client"));
      text(one("b", made), id);
      made.addEventListener("click", () => choose(id, name));
      return made;
    });
    text(one("span", it), value.says + (value.answer && `: “${value.answer}”${took(value.took)}`));
    it.classList.toggle("over", value.place === "gone");
    if (it.dataset.says !== value.says) speak(`${name}, ${id}: ${value.says}`);
    it.dataset.says = value.says;
  },
  stage(key, name, value) {
    fill(where, value.lanes.map((it) => [it, it]), where[0]);
    fill(one("#lessons"), value.lessons, one("#lessons")[0]);
    text(one("#missing"), value.missing);
    one("#missing").hidden = !value.missing;
    for (const name of value.lanes) one("#lanes").append(lane(name));
  },
};
function lesson(value) {
  const box = one("#lesson"), now = value && `${value.name} ${value.step}`;
  box.hidden = !value;
  one("#lessons").value = value?.name ?? "";
  if (now === step) return;
  step = now;
  if (!value) return;
  one("#hint").open = false;
  text(one("h2", box), `${value.title}, step ${value.step} of ${value.steps}`);
  text(one(".said", box), value.says);
  text(one(".question", box), value.question ?? "");
  one("a", box).href = `book/${value.page}`;
  one(".claims", box).replaceChildren(...value.claims.map(([lane, what]) => {
    const item = document.createElement("li");
    Object.assign(item.dataset, { lane, what });
    item.textContent = `${lane}: ${what}`;
    return item;
  }));
  text(one("button", box), value.question === null ? "End the lesson" : value.question ? "Show me" : "Next");
}
// A claim is true once it was to be read in its lane.
function prove() {
  for (const item of all("#lesson .claims li:not(.true)")) {
    const what = item.dataset.what.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const says = shown.get(`lane/${item.dataset.lane}`)?.textContent.replace(/\s+/g, " ") ?? "";
    item.classList.toggle("true", new RegExp(`(?<!\\w)${what}(?!\\w)`).test(says));
  }
}
function show({ all: isAll, set }) {
  for (const key of [...state.keys()]) {
    if (set[key] !== null && (key in set || !isAll)) continue;
    const it = shown.get(key);
    (it?.closest("li") ?? it)?.remove();
    state.delete(key);
    shown.delete(key);
  }
  for (const [key, value] of Object.entries(set)) {
    if (value === null && key !== "lesson") continue;
    state.set(key, value);
    const [kind, name, part, id] = key.split("/");
    if (kind !== "lesson") parts[part ?? kind](key, name, value, id);
  }
  lesson(state.get("lesson"));
  mark();
  prove();
}

// What a client has waited goes on between messages.
setInterval(() => {
  for (const [key, value] of state) {
    const [, lane, kind, name] = key.split("/"), it = shown.get(key);
    if (kind !== "client") continue;
    const waited = Date.now() - value.waits, isLoud = value.waits !== null && waited > 400;
    if (isLoud && !it.classList.contains("loud")) speak(`${lane}: ${name} is kept waiting`);
    it.classList.toggle("loud", isLoud);
    text(one(".time", it), isLoud ? `waits ${(waited / 1000).toFixed(1)}\u00a0s` : "");
  }
}, 100);

// A screen reader hears the last changes, and not more than it can say.
const speak = (sentence) => { unsaid = [...unsaid.slice(-3), sentence]; };
setInterval(() => {
  if (unsaid.length) one("#spoken").textContent = unsaid.join(". ");
  unsaid = [];
}, 2000);

new EventSource("events").addEventListener("message", (event) => show(JSON.parse(event.data)));
