// Shows what the stage sends, and says to it what was pressed. A message has
// the parts that have changed, by name: `lane/poll`, `lane/poll/task/00000812`,
// `lane/poll/client/a`, `lesson`, `stage`; null where one has gone.
"use strict";
const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const state = new Map(), shown = new Map(), proven = new Set();
const where = one("#where"), who = one("#who");
let clock = 0, step = "";

// Asking for something

async function say(line) {
  const reply = await fetch("do", { method: "POST", body: line }).catch(() => null);
  one("#note").textContent = reply?.ok ? "" :
    reply ? await reply.text() : "zen-live has ended: start it again, and open its address.";
}
const here = (line) => say((where.value && `${where.value}/`) + line);
const clients = (lane) => [...state.keys()].map((key) => key.split("/"))
  .filter((it) => it[2] === "client" && (!lane || it[1] === lane)).map((it) => it[3]);

function connect() {
  const taken = new Set(clients(where.value));
  let number = 0;
  const name = () => String.fromCharCode(97 + number % 26) + (number < 26 ? "" : Math.floor(number / 26));
  while (taken.has(name())) number += 1;
  choose(name(), where.value);
  here(`${name()}: connect`);
}
function choose(client, lane) {
  if (!all("option", who).some((it) => it.value === client)) who.add(new Option(client));
  who.value = client;
  where.value = lane;
  mark();
}
function mark() {
  for (const [key, part] of shown) {
    const [, lane, kind, name] = key.split("/");
    const isHere = !where.value || lane === where.value;
    if (kind === "client") {
      part.classList.toggle("chosen", isHere && name === who.value);
      part.setAttribute("aria-pressed", isHere && name === who.value);
    } else if (!kind) part.classList.toggle("chosen", !!where.value && isHere);
  }
}
document.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  const { act, line } = button.dataset;
  if (act && who.value) here(`${who.value}: ${act}`);
  else if (act) one("#note").textContent = "There is no client yet: press Connect.";
  else if (line) here(line);
  else if ("new" in button.dataset) connect();
  else if (button.closest("#lesson")) say(state.get("lesson").question ? "next" : "lesson");
});
document.addEventListener("keydown", (event) => {
  const isWriting = event.target.matches("input, select");
  if (isWriting || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  const button = all("button[data-key]").find((it) => it.dataset.key === event.key);
  if (button && !button.closest("[hidden]")) button.click();
});
one("#server").addEventListener("submit", (event) => {
  event.preventDefault();
  const fields = [...new FormData(event.target)].filter((it) => it[1]);
  here(["server: restart", ...fields.map((it) => it.join(" "))].join(" "));
});
one("#lessons").addEventListener("change", ({ target }) => say(`lesson ${target.value}`));
for (const select of [where, who]) select.addEventListener("change", mark);

// Showing what there is

const text = (node, value) => { if (node.textContent !== value) node.textContent = value; };
function part(key, make, list) {
  if (!shown.has(key)) {
    const made = make();
    made.dataset.part = key;
    shown.set(key, made);
  }
  const it = shown.get(key), item = it.closest("li") ?? it;
  if (list && item.parentElement !== list) {
    const after = [...list.children].find((other) => (one("[data-part]", other) ?? other).dataset.part > key);
    list.insertBefore(item, after ?? null);
  }
  return it;
}
function element(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content.firstElementChild;
}
function lane(name, value) {
  const it = part(`lane/${name}`, () => {
    const made = one("#lane").content.firstElementChild.cloneNode(true);
    made.dataset.lane = name;
    made.setAttribute("aria-label", name);
    text(one("h2", made), name);
    return made;
  });
  if (!it.isConnected) one("#lanes").append(it);
  if (!value) return it;
  const link = one("a", it), [held, queued, gone] = value.crowd.counts, crowd = held + queued + gone;
  link.hidden = !value.page;
  if (value.page) link.href = `book/${value.page}`;
  link.setAttribute("aria-label", `${name} in the book`);
  text(one(".about", it), `${value.about} ${value.options}`);
  text(one(".counts", it), value.runs ? value.counts : "");
  text(one(".numbers", it), value.numbers ?? "");
  text(one(".ended", it), value.ended ?? "");
  text(one(".length", it), String(value.queue ?? 0));
  one(".length", it).classList.toggle("some", value.queue > 0);
  const parts = [[held, "accepted"], [queued, "in the queue"], [gone, "gone"]].filter((it) => it[0]);
  const says = crowd ? `${crowd} silent: ${parts.map((it) => it.join(" ")).join(", ")}` : "";
  text(one(".crowd", it), [says, value.crowd.busy].filter(Boolean).join("; "));
  return it;
}
function task(name, key, value) {
  const it = part(key, () => element(`<li class="task"><i></i><span><b></b> <span></span></span></li>`), one(".tasks", lane(name)));
  it.className = `task ${value.state}`;
  text(one("b", it), value.name);
  const whose = value.client && (value.inferred ? `, perhaps for ${value.client}` : `, for ${value.client}`);
  text(one("span > span", it), value.says + (whose ?? ""));
}
function client(name, key, value) {
  const home = one(value.place === "queued" ? ".queue" : ".held", lane(name)), id = key.split("/")[3];
  const it = part(key, () => {
    const item = element(`<li><button type="button" class="client"><b></b> <span></span><span class="time" aria-hidden="true"></span></button></li>`);
    const made = one("button", item);
    text(one("b", made), id);
    made.addEventListener("click", () => choose(id, name));
    return made;
  }, home);
  const took = value.took === null ? "" : value.took < 100 ? " at once" : ` after ${(value.took / 1000).toFixed(1)} s`;
  text(one("span", it), value.says + (value.answer ? `: “${value.answer}”${took}` : ""));
  it.classList.toggle("over", value.place === "gone");
  if (it.dataset.says !== value.says) speak(`${name}, ${id}: ${value.says}`);
  it.dataset.says = value.says;
}
function lesson(value) {
  const box = one("#lesson");
  box.hidden = !value;
  one("#lessons").value = value?.name ?? "";
  if (!value) return;
  const now = `${value.name} ${value.said.length}`;
  if (now === step) return;
  step = now;
  proven.clear();
  text(one("h2", box), `${value.title}, step ${value.said.length} of ${value.steps}`);
  text(one(".said", box), value.said.at(-1) ?? "");
  text(one(".question", box), value.question ?? "");
  one(".claims", box).replaceChildren(...(value.claims ?? []).map(([lane, what]) => {
    const item = element("<li></li>");
    Object.assign(item.dataset, { lane, what });
    item.textContent = `${lane}: ${what}`;
    return item;
  }));
  const isLast = value.question === null, next = one("button", box);
  text(next, isLast ? "End the lesson" : value.question ? "Show me" : "Next");
}
// What a lane says, as text: claims are looked for in it.
function words(name) {
  const it = shown.get(`lane/${name}`);
  return it ? ` ${it.textContent.replace(/\s+/g, " ")} ` : "";
}
function prove() {
  for (const item of all("#lesson .claims li:not(.true)")) {
    const what = item.dataset.what.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    item.classList.toggle("true", new RegExp(`(?<![\\w])${what}(?![\\w])`).test(words(item.dataset.lane)));
  }
}
function stage(value) {
  const missing = one("#missing");
  missing.hidden = !value.missing;
  text(missing, value.missing ?? "");
  const options = (select, first, entries) => {
    const before = select.value;
    if (select.length !== entries.length + first.length || entries.some(([it], at) => select[at + first.length].value !== it)) {
      select.replaceChildren(...first, ...entries.map(([value, label]) => new Option(label, value)));
      select.value = entries.some(([it]) => it === before) ? before : "";
    }
  };
  options(where, [where[0]], value.lanes.map((it) => [it, it]));
  options(one("#lessons"), [one("#lessons")[0]], value.lessons);
  for (const name of value.lanes) one("#lanes").append(lane(name));
  document.body.dataset.cost = value.cost ?? "";
}
function remove(key) {
  const it = shown.get(key);
  if (key.endsWith("/more")) return text(one(".more", lane(key.split("/")[1])), "");
  (it?.closest("li") ?? it)?.remove();
  shown.delete(key);
}

const parts = { task, client };
function show({ now, all: isAll, set }) {
  clock = performance.now() - now;
  const gone = Object.keys(set).filter((key) => set[key] === null);
  if (isAll) gone.push(...[...state.keys()].filter((key) => !(key in set)));
  for (const key of gone) { state.delete(key); remove(key); }
  if (set.stage) stage(set.stage);
  for (const [key, value] of Object.entries(set)) {
    if (value === null) continue;
    state.set(key, value);
    const [, name, kind] = key.split("/");
    if (kind === "more") text(one(".more", lane(name)), value);
    else if (kind) parts[kind](name, key, value);
    else if (name) lane(name, value);
  }
  if ("lesson" in set) { state.set("lesson", set.lesson); lesson(set.lesson); }
  const names = [...new Set(clients())].sort();
  if (all("option", who).map((it) => it.value).join() !== names.join()) {
    const before = who.value;
    who.replaceChildren(...names.map((it) => new Option(it)));
    if (names.includes(before)) who.value = before;
  }
  mark();
  prove();
}

// What a client has waited for goes on between messages.
setInterval(() => {
  for (const [key, value] of state) {
    if (key.split("/")[2] !== "client") continue;
    const it = shown.get(key), waited = performance.now() - clock - value.waits;
    const isLoud = value.waits !== null && waited > 400;
    if (isLoud && !it.classList.contains("loud")) speak(`${key.split("/")[1]}: ${key.split("/")[3]} is kept waiting`);
    it.classList.toggle("loud", isLoud);
    text(one(".time", it), isLoud ? `waits ${(waited / 1000).toFixed(1)} s` : "");
  }
}, 100);

// A screen reader hears the last changes, and not more than it can say.
let unsaid = [];
const speak = (sentence) => { unsaid = [...unsaid.slice(-3), sentence]; };
setInterval(() => {
  if (unsaid.length) one("#spoken").textContent = unsaid.join(". ");
  unsaid = [];
}, 2000);

new EventSource("events").addEventListener("message", (event) => show(JSON.parse(event.data)));
