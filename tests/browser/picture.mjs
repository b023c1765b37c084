// Takes the picture of a page for the README: `node picture.mjs PAGE.html [PICTURE.png]`, by default
// docs/images/flow.png. It shows the path of item 7.

import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { launch, open } from "./page.mjs";

const [file, picture = join(import.meta.dirname, "../../docs/images/flow.png")] = process.argv.slice(2);
const browser = await launch();
const options = { viewport: { width: 1400, height: 1060 }, deviceScaleFactor: 1, colorScheme: "light" };
const { page, complaints, close } = await open(browser, pathToFileURL(resolve(file)).href, options);
await page.fill("#item", "7");
await page.press("#item", "Enter");
await page.evaluate(() => document.activeElement.blur());
await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))));
await page.screenshot({ path: picture });
await close();
await browser.close();
if (complaints.length > 0) throw new Error(complaints.join("\n"));
console.log(picture);
