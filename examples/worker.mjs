// A worker for `supervisor --protocol json`, with nothing but Node.js: it squares numbers.
//
//     seq 1000 | supervisor --protocol json -- node examples/worker.mjs
//
// Copy it and change `work`. It works on all items that it holds at once, and answers each when that is done: with
// --credit 16 up to 16 of them.

import { createInterface } from "node:readline";

// The answers have stdout for themselves. What `work` logs goes to stderr.
console.log = console.error;

/** The result for an item, or a promise of it: text, a number, or whatever JSON can hold. It may throw. */
async function work(item) {
  if (!/^\d+$/.test(item)) throw new Error(`not a number: ${item}`);
  return Number(item) ** 2;
}

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

async function take(line) {
  const { id, item, item_base64 } = JSON.parse(line);
  try {
    // An item that is not UTF-8 comes as bytes.
    const result = await work(item ?? Buffer.from(item_base64, "base64"));
    say({ id, result });
  } catch (error) {
    // With `retry: true` the item is tried again, with `retry: false` it is not, whatever --retries says.
    say({ id, error: error.message, retry: error.retry });
  }
}

say({ ready: true });
createInterface({ input: process.stdin }).on("line", take);
