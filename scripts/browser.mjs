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
  const wide = await page.evaluate(() => {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return [];
    return [root.scrollWidth, ...[...document.querySelectorAll("main *")]
      .filter((it) => it.getBoundingClientRect().right > root.clientWidth + 1)
      .filter((it) => !it.parentElement.closest("pre, .table-wrapper"))
      .slice(0, 3).map((it) => it.outerHTML.slice(0, 80))];
  });
  if (wide.length) found(`scrolls sideways: ${wide.join(" ")}`);
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
    const waiting = [...pages];
    const worker = async () => {
      for (let name; (name = waiting.pop());) {
        await look(context, name, theme, width);
      }
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    await context.close();
    console.log(`${pages.length} pages: ${theme}, ${width}`);
  }
}
await browser.close();
console.log(`${pages.length} pages, 4 ways: ${findings} findings`);
process.exit(findings || !pages.length ? 1 : 0);
