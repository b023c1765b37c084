// Opens a page in Chromium as a reader would, and notes everything that the browser complains about.

import { createRequire } from "node:module";
import { join } from "node:path";

const modules = process.env.BROWSER_MODULES ?? join(import.meta.dirname, "../../target/browser");
const { chromium } = createRequire(join(modules, "package.json"))("playwright-core");

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium" });
}

/** `complaints`: errors and warnings of the console (a breach of the policy is one), of scripts, and every request. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
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
