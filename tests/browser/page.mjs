// Opens a page in Chromium as a reader would, and notes everything that the browser complains about.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join, resolve } from "node:path";

const modules = process.env.BROWSER_MODULES ?? join(import.meta.dirname, "../../target/browser");
const { chromium } = createRequire(resolve(modules, "package.json"))("playwright-core");

export function launch() {
  const places = process.env.PATH.split(delimiter).map((folder) => join(folder, "chromium"));
  return chromium.launch({ executablePath: places.find((place) => existsSync(place)) });
}

/** `complaints`: errors and warnings of the console (a breach of the policy is one), of scripts, and every request. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() !== "log") complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(String(error.stack)));
  page.on("request", (request) => {
    if (request.url() !== url) complaints.push(`request: ${request.url()}`);
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective}`));
  });
  await page.goto(url);
  await page.waitForSelector("[data-ready]", { state: "attached" });
  return { page, complaints, close: () => context.close() };
}
