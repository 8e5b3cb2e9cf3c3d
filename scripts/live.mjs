// Plays every lesson of zen-live in a browser, and reads from the page what the
// lesson claims. Started by scripts/live, which says what that is.

import { createRequire } from "node:module";
import { mkdir, readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const [address, pictures, ...only] = process.argv.slice(2);
const axe = await readFile(
  createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// A claim has this long to come true, on a machine that is busy.
const PATIENCE = +(process.env.PATIENCE ?? 40000);

const browser = await chromium.launch({
  executablePath: process.env.BROWSER,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update",
    "--disable-sync"],
});
let findings = 0;
const found = (what) => { findings += 1; console.log(`FOUND: ${what}`); };

async function open(theme, width, height = 900) {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: theme,
  });
  const page = await context.newPage();
  page.on("console", (message) => found(`console: ${message.text()}`));
  page.on("pageerror", (error) => found(`error: ${error.message}`));
  page.on("request", (it) => {
    if (!it.url().startsWith(address) && !it.url().startsWith("data:")) {
      found(`asks the network: ${it.url()}`);
    }
  });
  await page.goto(address);
  await page.waitForSelector(".lane .task");
  return page;
}

// What a lane says, read here and not by the page's own check of claims.
const read = (page, lane) => page.$eval(`.lane[data-lane="${lane}"]`,
  (it) => it.textContent.replace(/\s+/g, " "));

async function holds(page, what, is) {
  const end = Date.now() + PATIENCE;
  while (!await is()) {
    if (Date.now() > end) return found(what);
    await page.waitForTimeout(50);
  }
}
const claims = async (page, lane, what) => {
  const escaped = what.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = new RegExp(`(?<!\\w)${escaped}(?!\\w)`);
  await holds(page, `${lane}: "${what}" in: ${await read(page, lane)}`,
    async () => pattern.test(await read(page, lane)));
};

async function lesson(page, name) {
  await page.selectOption("#lessons", name);
  const box = page.locator("#lesson");
  for (let step = 1, of = 99; step <= of; step += 1) {
    await holds(page, `${name}: no step ${step}`, async () =>
      (await box.locator("h2").textContent()).includes(`step ${step} of`));
    of = +(await box.locator("h2").textContent()).split(" of ").at(-1);
    const said = await box.locator(".said").textContent();
    const items = await box.locator(".claims li").evaluateAll(
      (all) => all.map((it) => [it.dataset.lane, it.dataset.what]));
    if (!items.length) found(`${name}, step ${step}: claims nothing`);
    for (const [lane, what] of items) await claims(page, lane, what);
    await holds(page, `${name}, step ${step}: the page does not see it`,
      async () => !await box.locator(".claims li:not(.true)").count());
    const question = await box.locator(".question").textContent();
    if (!!question !== (step === of - 1)) found(`${name}: question at ${step}`);
    console.log(`${name} ${step}/${of}: ${said}`);
    await page.screenshot({ path: `${pictures}/${name}-${step}.png` });
    await box.locator("button").click();
  }
  await box.waitFor({ state: "hidden" });
}

// What every theme and width has to be: legible, and not wider than the screen.
async function look(theme, width) {
  const page = await open(theme, width);
  await page.keyboard.press("n");
  await page.waitForSelector('.lane[data-lane="single"] .client');
  await page.keyboard.press("n");
  await page.keyboard.press("a");
  await claims(page, "single", "b in the accept queue, has asked");
  await page.waitForSelector('.lane[data-lane="single"] .queue .loud');
  await page.waitForTimeout(600);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  if (wide > width) found(`${theme}, ${width}: scrolls sideways: ${wide}`);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(
    () => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, nodes } of violations) {
    found(`${theme}, ${width}: axe: ${id}: ${nodes[0].html.slice(0, 160)} ` +
      nodes[0].failureSummary.replace(/\s+/g, " ").slice(0, 240));
  }
  await page.screenshot({ path: `${pictures}/${theme}-${width}.png`,
    fullPage: width < 700 });
  await page.keyboard.press("0");
  await page.waitForSelector('.lane[data-lane="single"] .client', { state: "detached" });
  await page.context().close();
}

await mkdir(pictures, { recursive: true });
const page = await open("light", 1280);
const names = await page.$$eval("#lessons option", (all) =>
  all.map((it) => it.value).filter(Boolean));
if (names.length < 6) found(`${names.length} lessons`);
for (const name of only.length ? only : names) await lesson(page, name);
await page.context().close();
if (!only.length) {
  for (const width of [1280, 400, 1920]) {
    for (const theme of ["light", "dark"]) await look(theme, width);
  }
}
await browser.close();
console.log(`${names.length} lessons: ${findings} findings`);
process.exit(findings ? 1 : 0);
