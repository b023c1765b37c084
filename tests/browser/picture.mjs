// Takes the README's picture: `tests/browser/record run.trace`, then `node tests/browser/picture.mjs run.trace`, into
// docs/images/flow.png or a second argument. It shows the path of item 7. SUPERVISOR: the program, by default that of a
// debug build.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { launch, open } from "./page.mjs";

const root = join(import.meta.dirname, "../..");
const [trace, picture = join(root, "docs/images/flow.png")] = process.argv.slice(2);
const program = process.env.SUPERVISOR ?? join(root, "target/debug/supervisor");
const folder = mkdtempSync(join(tmpdir(), "picture-"));
const browser = await launch();
try {
  const file = join(folder, "page.html");
  execFileSync(program, ["flow", trace, "--format", "html", "-o", file]);
  const options = { viewport: { width: 1400, height: 1060 }, deviceScaleFactor: 1, colorScheme: "light" };
  const { page, complaints, close } = await open(browser, pathToFileURL(file).href, options);
  await page.fill("#item", "7");
  await page.press("#item", "Enter");
  await page.evaluate(() => document.activeElement.blur());
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))));
  await page.screenshot({ path: picture });
  await close();
  if (complaints.length > 0) throw new Error(complaints.join("\n"));
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
console.log(picture);
