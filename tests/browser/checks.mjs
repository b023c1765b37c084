// What has to hold of the page in a real browser. `node checks.mjs SMALL REAL LARGE HOSTILE EMPTY COMMANDS`, files: a
// made-up run of five workers and 20 items in which one was killed at item 7, the trace of such a run, one of 100,000
// steps, one whose every text wants to be markup, one of no steps, and the trace of six commands, one of which failed.
// BROWSER_MODULES: where playwright-core is installed. CHECK: only checks whose name contains this.

import assert from "node:assert/strict";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { open, launch } from "./page.mjs";

const files = process.argv.slice(2).map((file) => pathToFileURL(resolve(file)).href);
const [small, real, large, hostile, empty, commands] = files;
assert.equal(files.length, 6, "six pages are expected");
const checks = [];
const check = (name, url, action, options = {}) => checks.push({ name, url, action, options });
/** What has to hold of a made-up run, and of a real one. */
const checkBoth = (name, action) => {
  check(name, small, action);
  check(`${name}: of a real run`, real, action);
};

/** The rows that are in the page, as `{ step, text, classes }`. */
const rows = (page) =>
  page.$$eval("#rows .row", (nodes) =>
    nodes.map((node) => ({
      step: Number(node.dataset.step),
      name: node.getAttribute("aria-label"),
      classes: [...node.classList],
    })),
  );
const text = (page, selector) => page.locator(selector).innerText();
/** The page draws once a frame; two later, all is drawn. */
const drawn = (page) =>
  page.evaluate(
    () =>
      new Promise((done) => {
        requestAnimationFrame(() => requestAnimationFrame(() => done()));
      }),
  );
/** What shows the chosen item: the story, and the rows that are lit. */
async function chosen(page) {
  await drawn(page);
  const lit = (await rows(page)).filter((row) => row.classes.includes("on")).length;
  return { title: await text(page, "#story-title"), story: await text(page, "#story-text"), lit };
}

checkBoth("it shows five workers and their processes", async (page) => {
  const heads = await page.$$eval("#heads .head", (nodes) => nodes.map((node) => node.textContent));
  assert.deepEqual(
    heads.filter((head) => head.startsWith("worker")),
    [1, 2, 3, 4, 5].map((n) => `worker ${n}`),
  );
  assert(heads.includes("supervisor") && heads.includes("output"), heads);
  assert.equal(await page.locator("#lanes text.name").count(), 5);
  const table = await page.$$eval("#processes tr", (lines) => lines.map((line) => line.innerText.replace(/\s+/g, " ")));
  assert.equal(table.length, 6);
  assert.equal(table.filter((line) => line.includes("signal 9 (KILL)")).length, 1);
  assert.equal(await page.locator("#processes tr.died").count(), 1);
  assert.equal(await page.locator("#charts canvas").count(), 4);
  assert.match(await text(page, "#numbers"), /20 items[^]*1 death/);
});

checkBoth("the path of item 7 has two attempts on two workers", async (page) => {
  await page.fill("#item", "7");
  await page.press("#item", "Enter");
  const { story, lit } = await chosen(page);
  const workers = /^Item 7: 2 attempts on workers (\d) and (\d), \d+ steps/.exec(story);
  assert(workers !== null && workers[1] !== workers[2], story);
  assert.match(story, /Attempt 1: .*signal 9 \(KILL\)/);
  assert.match(story, /Attempt 2: .*answered/);
  assert(lit >= 2, `${lit} rows are lit`);
  assert((await page.locator("#rows .row.off").count()) > 0, "the others are not dimmed");
  assert.equal(await page.locator("#lanes .bar.on").count(), 2);
  await page.click("#only");
  await drawn(page);
  const left = await rows(page);
  assert(left.length >= 6 && left.every((row) => row.classes.includes("on")), JSON.stringify(left));
  assert.equal(left.filter((row) => row.classes.includes("died")).length, 1);
});

check("the title and the head show the command line of a real run", real, async (page) => {
  const line = /supervisor --events \S+ --workers 5 --items 20 --delay 100ms --credit 1 --transport pipe --trace \S+/;
  assert.match(await page.title(), line);
  assert.match(await text(page, "h1"), line);
  assert.match(await text(page, "#facts"), /the built-in worker, task square/);
});

check("commands have histograms of waiting and of work", commands, async (page) => {
  const titles = await page.$$eval("#charts h3", (nodes) => nodes.map((node) => node.textContent));
  assert.deepEqual(titles, ["Waiting for the process", "Work"]);
  assert.equal(await page.locator("#charts canvas").count(), 2);
  const [waiting, work] = await page.locator("#charts .readout").allInnerTexts();
  // A process may be ordered and started within one turn of the loop, whose time counts for both.
  assert.match(waiting, /^6 values · half below [0-9]/);
  assert.match(work, /^6 values · half below [1-9]/);
  assert.match(await text(page, "h1"), /supervisor --events \S+ -j 6 --trace \S+ -- sh -c .+ ::: 1 2 3 4 5 6$/);
  assert.match(await text(page, "#numbers"), /6 items[^]*6 processes[^]*0 deaths/);
});

check("a click on a message shows its item's path, and a click in the list goes to the step", small, async (page) => {
  await page.locator("#rows .row.frame").first().click();
  assert.match((await chosen(page)).story, /^Item 0: 1 attempt on worker \d/);
  await page.locator("#story-steps button").last().click();
  await drawn(page);
  const current = await page.getAttribute("#steps", "aria-activedescendant");
  assert.match(await page.getAttribute(`#${current}`, "aria-label"), /output.*item 0 done/);
});

checkBoth("the filter works, and tells how much it leaves", async (page) => {
  const hits = async () => (await drawn(page), Number((await text(page, "#hits")).split(" ")[0]));
  const all = await hits();
  await page.fill("#items", "7");
  const seven = await hits();
  assert(seven >= 5 && seven < 12, `${seven} steps are about item 7`);
  await page.fill("#items", "7-9");
  assert((await hits()) > seven);
  await page.fill("#items", "9-7");
  assert.equal(await page.getAttribute("#items", "aria-invalid"), "true");
  assert.equal(await hits(), all);
  await page.fill("#items", "");
  await page.fill("#text", "KILL");
  const killed = await hits();
  assert(killed > 0 && killed < all / 4, `${killed} steps name KILL`);
  for (const row of await rows(page)) assert.match(row.name, /KILL/);
  await page.fill("#text", "");
  await page.selectOption("#worker", "2");
  const ofTwo = await hits();
  assert(ofTwo > 0 && ofTwo < all);
  // In the real run it may be the one that was killed and has a second process.
  const workers = () => page.$$eval("#processes tr th", (heads) => heads.map((head) => head.innerText.trim()));
  const shown = await workers();
  await page.selectOption("#worker", "0");
  const named = (await workers()).filter((name) => name === shown[0]);
  await page.selectOption("#worker", "2");
  assert(named.length >= 1);
  assert.deepEqual(await workers(), named);
  await page.getByRole("checkbox", { name: "process" }).check();
  assert((await hits()) >= 2, "a worker starts and ends");
  for (const row of await rows(page)) assert.match(row.name, /process, (worker 2|supervisor to worker 2)/);
  await page.fill("#text", "no such text");
  assert.equal(await hits(), 0);
  assert(await page.isVisible("#nothing"));
  await page.click("#clear");
  assert.equal(await hits(), all);
  await page.check("#reasoning");
  assert((await hits()) > all, "there is no reasoning behind the main steps");
  await page.click("#clear");
  assert.equal(await page.getAttribute("#hits", "aria-live"), "polite");
});

check("it is usable by keyboard alone", small, async (page) => {
  for (let tabs = 0; (await page.evaluate(() => document.activeElement.id)) !== "item"; tabs++) {
    assert(tabs < 12, "Tab does not come to the item's number");
    await page.keyboard.press("Tab");
  }
  await page.keyboard.type("7");
  await page.keyboard.press("Enter");
  assert.equal((await chosen(page)).title, "Item 7");
  await page.keyboard.press("Escape");
  const cleared = await chosen(page);
  assert.deepEqual([cleared.title, cleared.lit], ["An item's path", 0]);
  await page.focus("#steps");
  const outline = await page.$eval(".diagram", (node) => getComputedStyle(node).outlineStyle);
  assert.equal(outline, "solid", "the focus is not visible");
  const current = () => page.$eval("#steps", (node) => Number(node.getAttribute("aria-activedescendant").slice(5)));
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowDown");
  assert.equal(await current(), 1);
  await page.keyboard.press("PageDown");
  const paged = await current();
  assert(paged > 5, `PageDown came to step ${paged}`);
  await page.keyboard.press("End");
  assert.equal(await current(), (await rows(page)).at(-1).step);
  await page.keyboard.press("Home");
  while (!(await page.$eval(`#step-${await current()}`, (node) => node.classList.contains("frame")))) {
    await page.keyboard.press("ArrowDown");
  }
  await page.keyboard.press("Enter");
  assert.equal((await chosen(page)).title, "Item 0");
  const before = await current();
  await page.keyboard.press("n");
  assert((await current()) > before);
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "item");
});

check("what is focusable and what is shown has a name", small, async (page) => {
  const nameless = await page.$$eval("button, input, select, [tabindex], [role=img], [role=option]", (nodes) =>
    nodes
      .filter(
        (node) =>
          !(
            node.getAttribute("aria-label") ||
            node.getAttribute("aria-labelledby") ||
            node.textContent.trim() ||
            node.labels?.[0]?.textContent.trim()
          ),
      )
      .map((node) => node.outerHTML),
  );
  assert.deepEqual(nameless, []);
  const first = page.locator("#rows .row").first();
  assert.equal(await first.getAttribute("role"), "option");
  assert.equal(await first.getAttribute("aria-posinset"), "1");
  assert.match(await first.getAttribute("aria-label"), /s, process, worker 1: started/);
  assert.match(
    await page.locator("#lane-list li").first().innerText(),
    /^worker 1: at work \d+ % of its time, \d+ items/,
  );
});

check("100,000 steps scroll", large, async (page) => {
  if (await page.isVisible("#reasoning")) await page.check("#reasoning");
  const total = Number((await text(page, "#hits")).replace(/\D/g, ""));
  assert(total > 99_000, `${total} steps`);
  const nodes = () => page.evaluate(() => document.querySelectorAll("*").length);
  const bound = 4000;
  await page.focus("#steps");
  await page.keyboard.press("End");
  await drawn(page);
  const last = (await rows(page)).at(-1);
  assert.equal(last.step, total - 1);
  const box = await page.locator(`#step-${total - 1}`).boundingBox();
  const frame = await page.locator("#steps").boundingBox();
  assert(box.y >= frame.y && box.y + box.height <= frame.y + frame.height + 1, "the last step is not in view");
  assert((await nodes()) < bound, `${await nodes()} nodes at the end`);
  for (const part of [0.1, 0.5, 0.9]) {
    await page.$eval(
      "#steps",
      (node, part) => {
        node.scrollTop = part * node.scrollHeight;
      },
      part,
    );
    await drawn(page);
    const shown = await rows(page);
    const about = part * total;
    assert(Math.abs(shown[0].step - about) < total * 0.01, `step ${shown[0].step} at ${part}`);
    assert((await nodes()) < bound, `${await nodes()} nodes at ${part}`);
  }
  await page.click("#scale");
  await drawn(page);
  assert((await nodes()) < bound, `${await nodes()} nodes in proportion to time`);
  for (let n = 0; n < 8; n++) await page.click("[data-zooms=diagram] [data-zoom='-1']");
  await drawn(page);
  assert((await nodes()) < bound, `${await nodes()} nodes when zoomed out`);
});

check("100,000 steps are filtered and searched", large, async (page) => {
  await page.fill("#items", "70000");
  await drawn(page);
  assert.match(await text(page, "#hits"), /^[1-9] of/);
  await page.click("#clear");
  await page.fill("#item", "70000");
  await page.press("#item", "Enter");
  assert.match((await chosen(page)).story, /^Item 70000: 1 attempt on worker \d, \d steps/);
  const current = await page.getAttribute("#steps", "aria-activedescendant");
  assert(await page.locator(`#${current}`).isVisible());
});

check("hostile text does nothing", hostile, async (page) => {
  await page.fill("#item", "7");
  await page.press("#item", "Enter");
  assert((await chosen(page)).story.includes("</script><img src=x onerror="));
  assert.equal(await page.locator("img").count(), 0);
  assert(!(await page.title()).startsWith("owned"));
  for (const place of ["h1", "#facts"]) assert((await text(page, place)).includes("<img src=x"));
  assert((await text(page, "#processes")).includes("<img src=x"));
  assert(await page.isVisible("#cut"));
});

check("a trace without steps has a page", empty, async (page) => {
  assert.equal(await text(page, "#hits"), "0 steps");
  assert(await page.isVisible("#nothing"));
  assert.match(await text(page, "#cut"), /ends before/);
  await page.focus("#steps");
  for (const key of ["ArrowDown", "End", "Home", "Enter", "+"]) await page.keyboard.press(key);
  await page.click("#scale");
  await page.fill("#item", "7");
  await page.press("#item", "Enter");
  assert.equal((await chosen(page)).story, "Item 7 is not in this trace.");
});

for (const [name, scheme, dark] of [
  ["light", "light", false],
  ["dark", "dark", true],
]) {
  check(
    `the page is ${name} where the system is, and the switch changes it`,
    small,
    async (page) => {
      // The brightness of the page and of its text: the sum of red, green and blue.
      const sums = () =>
        page.evaluate(() =>
          [document.body, document.body].map((node, n) => {
            const style = getComputedStyle(node);
            return (n === 0 ? style.backgroundColor : style.color)
              .match(/\d+/g)
              .slice(0, 3)
              .reduce((a, b) => a + Number(b), 0);
          }),
        );
      const isDark = async () => (([back, front]) => back < front)(await sums());
      assert.equal(await isDark(), dark);
      await page.click("#theme");
      assert.equal(await isDark(), false);
      await page.click("#theme");
      assert.equal(await isDark(), true);
      await page.click("#theme");
      assert.equal(await isDark(), dark);
    },
    { colorScheme: scheme },
  );
  check(`text has enough contrast, ${name}`, small, contrast, { colorScheme: scheme });
}

/** WCAG AA: text has 4.5 times the luminance of what is behind it, or the other way round. */
async function contrast(page) {
  await page.fill("#item", "7");
  await page.press("#item", "Enter");
  await drawn(page);
  const poor = await page.evaluate(() => {
    const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const paint = (colours) => {
      pen.clearRect(0, 0, 1, 1);
      for (const colour of colours) {
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
      }
      return pen.getImageData(0, 0, 1, 1).data;
    };
    const luminance = ([r, g, b]) =>
      [
        [r, 0.2126],
        [g, 0.7152],
        [b, 0.0722],
      ]
        .map(([value, weight]) => weight * (value <= 10 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4))
        .reduce((a, b) => a + b);
    const ratio = (node) => {
      const behind = [];
      for (let one = node; one !== null; one = one.parentElement) behind.unshift(getComputedStyle(one).backgroundColor);
      const style = getComputedStyle(node);
      const [a, b] = [
        luminance(paint(behind)),
        luminance(paint([...behind, node instanceof SVGElement ? style.fill : style.color])),
      ];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    };
    // The text inside a bar of a lane stands on the bar, which no style of an ancestor tells.
    const inBar = (node) => node.matches("#lanes .inside");
    const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim() !== "");
    return [...document.body.querySelectorAll("*:not(script, noscript, option, :disabled)")]
      .filter((node) => hasText(node) && !inBar(node) && node.getClientRects().length > 0)
      .map((node) => [ratio(node), node])
      .filter(([value]) => value < 4.5)
      .map(
        ([value, node]) =>
          `${value.toFixed(2)}: ${node.className.baseVal ?? node.className} ${node.textContent.slice(0, 40)}`,
      );
  });
  assert.deepEqual(poor, []);
}

check(
  "a telephone shows it without a sideways scroll of the page",
  small,
  async (page) => {
    await page.fill("#item", "7");
    await page.press("#item", "Enter");
    await drawn(page);
    const [content, width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.equal(content, width);
    const row = await page.locator("#rows .row.cursor .label").boundingBox();
    assert(row.x >= 0 && row.x + row.width <= 360, `the label of the current step is at ${row.x}, ${row.width} wide`);
  },
  { viewport: { width: 360, height: 740 } },
);

check("paper shows what was in view, and the table", small, async (page) => {
  await page.fill("#item", "7");
  await page.press("#item", "Enter");
  await drawn(page);
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  await page.emulateMedia({ media: "print" });
  await drawn(page);
  assert(!(await page.isVisible("#find")) && !(await page.isVisible("#theme")));
  assert((await page.isVisible("#rows .row.cursor")) && (await page.isVisible("#processes")));
  const [box, row] = [
    await page.locator("#steps").boundingBox(),
    await page.locator("#rows .row.cursor").boundingBox(),
  ];
  assert(row.y >= box.y && row.y < box.y + box.height, `the current step is at ${row.y}, its box at ${box.y}`);
  await page.emulateMedia({ media: "screen" });
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  assert((await page.pdf()).length > 10_000);
});

const browser = await launch();
let failed = 0;
for (const { name, url, action, options } of checks.filter(({ name }) => name.includes(process.env.CHECK ?? ""))) {
  const { page, complaints, close } = await open(browser, url, options);
  try {
    await action(page);
    assert.deepEqual(complaints, []);
    console.log(`ok: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED: ${name}\n${error.stack}\n${complaints.join("\n")}`);
  }
  await close();
}
await browser.close();
console.log(`${failed} of ${checks.length} checks failed`);
process.exitCode = failed > 0 ? 1 : 0;
