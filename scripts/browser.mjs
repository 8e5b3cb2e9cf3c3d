// Opens every page of the book, and prints what is wrong with it. Started by
// scripts/browser, which lists the checks.

import { createRequire } from "node:module";
import { readdir, readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const [address, html, pictures, ...only] = process.argv.slice(2);
const axe = await readFile(
  createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// Figures are checked in the pages that show them. toc.html is a frame: it shows
// the table of contents without JavaScript.
const pages = only.length ? only : (await readdir(html, { recursive: true }))
  .filter((name) => name.endsWith(".html") && !name.startsWith("figures/"))
  .filter((name) => !["404.html", "toc.html"].includes(name));

const browser = await chromium.launch({
  executablePath: process.env.BROWSER,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update",
    "--disable-sync"],
});
let findings = 0;
let used = 0;

async function look(context, name, theme, width) {
  const page = await context.newPage();
  const found = (what) => {
    findings += 1;
    console.log(`${name}, ${theme}, ${width}: ${what}`);
  };
  page.on("console", (message) => found(`console: ${message.text()}`));
  page.on("pageerror", (error) => found(`error: ${error.message}`));
  page.on("requestfailed", (it) => found(`not loaded: ${it.url()}`));
  page.on("request", (it) => {
    if (!it.url().startsWith(address) && !it.url().startsWith("data:")) {
      found(`asks the network: ${it.url()}`);
    }
  });
  await page.goto(`${address}/${name}`, { waitUntil: "load", timeout: 120000 });
  await page.evaluate(() => document.querySelectorAll("details")
    .forEach((details) => { details.open = true; }));
  for (const narrow of width === 400 ? [360, 400] : [width]) {
    await page.setViewportSize({ width: narrow, height: 900 });
    const wide = await page.evaluate(() => {
      const root = document.documentElement;
      if (root.scrollWidth <= root.clientWidth) return [];
      return [root.scrollWidth, ...[...document.querySelectorAll("main *")]
        .filter((it) => it.getBoundingClientRect().right > root.clientWidth + 1)
        .filter((it) => !it.parentElement.closest("pre, .table-wrapper"))
        .slice(0, 3).map((it) => it.outerHTML.slice(0, 80))];
    });
    if (wide.length) found(`${narrow} scrolls sideways: ${wide.join(" ")}`);
  }
  // A table or a program that is cut says so: it fades.
  const cut = await page.$$eval(".table-wrapper, pre > code", (all) => all
    .filter((it) => it.scrollWidth - it.clientWidth > 2)
    .filter((it) => !getComputedStyle(it).maskImage.includes("gradient"))
    .map((it) => it.textContent.slice(0, 60)));
  if (cut.length) found(`cut without a hint: ${cut[0]}`);
  const titles = await page.$$eval("h1", (all) => all.length);
  if (name !== "print.html" && titles !== 1) found(`${titles} titles`);
  await page.addScriptTag({ content: axe });
  const { violations } = await page.evaluate(
    () => axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, impact, nodes } of violations) {
    if (!["serious", "critical"].includes(impact)) continue;
    const why = nodes[0].failureSummary.replace(/\s+/g, " ").slice(0, 200);
    found(`axe: ${id} (${impact}), ${nodes.length} times: ` +
      `${nodes[0].html.slice(0, 120)} ${why}`);
  }
  if (only.length) {
    await page.screenshot({
      path: `${pictures}/${name.replace("/", "-")}-${theme}-${width}.png`,
      fullPage: true,
    });
  }
  if (name !== "print.html") await useKeys(page, found);
  await page.close();
}

// The first key leads past the contents. In a picture of a run, the arrow keys
// step, wherever in it the focus is, and do not turn the page.
async function useKeys(page, found) {
  if (!await page.$(".skip")) return;
  await page.evaluate(() => document.querySelectorAll(".zen-timeline details")
    .forEach((it) => { it.open = true; }));
  const isAt = (what) => page.evaluate(
    (what) => document.activeElement.matches(what), what);
  await page.keyboard.press("Tab");
  if (!await isAt(".skip")) found("the first key does not skip the contents");
  await page.keyboard.press("Enter");
  if (!await isAt("main")) found("the skip link does not lead to main");
  const left = page.waitForEvent("framenavigated", { timeout: 0 })
    .then(() => true, () => false);
  for (const part of await page.$$(".zt-scroll, .zt-tools button, .zt-steps, .zen-timeline summary")) {
    await part.focus();
    for (const key of ["Home", "ArrowRight", "ArrowRight", "ArrowLeft"]) {
      await page.keyboard.press(key);
    }
    const step = page.textContent(".zt-now").catch(() => "");
    const now = await Promise.race([left, step]);
    used += 1;
    if (now === true || !now) return found("a key left the page");
    if (!now.startsWith("Event 2 ")) found(`the keys do not step: ${now}`);
  }
}

// A term's definition is the first that the search finds.
async function search() {
  const page = await browser.newPage();
  await page.goto(`${address}/glossary.html`);
  const terms = await page.$$eval(".glossary h3", (all) =>
    all.map((it) => [it.textContent, it.id]));
  if (terms.length < 70) findings += 1;
  const missed = [];
  for (const [term, id] of terms) {
    await page.goto(`${address}/404.html?search=${encodeURIComponent(term)}`);
    const first = page.locator("#mdbook-searchresults a").first();
    const href = await first.getAttribute("href", { timeout: 5000 })
      .catch(() => "nothing");
    if (!href.includes("glossary.html?") || !href.endsWith(`#${id}`)) {
      missed.push(`${term}: ${href}`);
    }
  }
  missed.forEach((it) => console.log(`search: ${it}`));
  findings += missed.length;
  console.log(`${terms.length} terms, ${missed.length} not found first`);
  await page.close();
}

for (const theme of ["light", "navy"]) {
  for (const width of [1280, 400]) {
    const context = await browser.newContext({
      viewport: { width, height: 900 },
      colorScheme: theme === "light" ? "light" : "dark",
    });
    await context.addInitScript((theme) => {
      localStorage.setItem("mdbook-theme", theme);
      // The page with the whole book opens the print dialogue.
      window.print = () => {};
    }, theme);
    // Copies of files have one column, and no themes but the system's.
    const waiting = pages.filter((it) =>
      width === 400 || !it.startsWith("source/"));
    const done = waiting.length;
    const worker = async () => {
      for (let name; (name = waiting.pop());) {
        await look(context, name, theme, width);
      }
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    await context.close();
    console.log(`${done} pages: ${theme}, ${width}`);
  }
}
if (!only.length) {
  await search();
  if (!used) findings += 1;
}
await browser.close();
console.log(`${pages.length} pages, 4 ways, ${used} places for keys: ` +
  `${findings} findings`);
process.exit(findings || !pages.length ? 1 : 0);
