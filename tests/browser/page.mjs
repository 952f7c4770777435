// Looks at the page, or at a report, in a real browser: `node page.mjs SCENARIO URL ARGUMENT...`, within
// the network where sealwatch serves. Ends with 0 when all is as it should be; else says what is not.
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import assert from "node:assert/strict";

const target = new URL("../../target/", import.meta.url);
const require = createRequire(new URL("browser/", target));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const WIDTHS = [[360, 740], [1024, 768], [1920, 1080]];
const SCHEMES = ["light", "dark"];

const [scenario, url, ...given] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

// A page that fails whatever it is looked at for when something goes out, runs or breaks.
async function open(options = {}, path = "") {
  const context = await browser.newContext({ viewport: { width: 1024, height: 768 }, ...options });
  const page = await context.newPage();
  // Whoever waits does so for a condition; a busy machine takes its time.
  page.setDefaultTimeout(180_000);
  const wrong = [];
  page.on("request", (request) => {
    const asked = request.url();
    if (!asked.startsWith(url) && !asked.startsWith("data:")) wrong.push(`requests ${asked}`);
  });
  page.on("dialog", (dialog) => {
    wrong.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("pageerror", (error) => wrong.push(`an error: ${error}`));
  page.on("console", (message) => wrong.push(`says ${message.text()}`));
  const answer = await page.goto(url + path);
  assert.equal(answer.status(), 200);
  return { page, wrong, headers: answer.headers(), close: () => context.close() };
}

const scenarios = {
  // Screenshots, accessibility and width, everywhere; with some of what opens open, too. `brief`, for
  // pages that axe takes minutes for: each width and each scheme once, as it stands.
  async look(name, brief) {
    mkdirSync(new URL("screenshots/", target), { recursive: true });
    for (const [i, colorScheme] of SCHEMES.entries()) {
      for (const [j, [width, height]] of WIDTHS.entries()) {
        const { page, wrong, close } = await open({ viewport: { width, height }, colorScheme });
        // Of the whole page, as far as an image goes.
        const shot = async (what) => page.screenshot({
          path: new URL(`screenshots/${name}-${width}-${colorScheme}${what}.png`, target).pathname,
          clip: { x: 0, y: 0, width, height: Math.min(6000, await heightOf(page)) },
          fullPage: true,
        });
        await shot("");
        if (!brief || (i + j) % 2 === 0) await accessible(page, `${name}, ${width}, ${colorScheme}`);
        if (brief) {
          assert.deepEqual(wrong, []);
          await close();
          continue;
        }
        const toOpen = await page.$$("details");
        for (const details of toOpen.slice(0, 12).concat(toOpen.slice(-2))) {
          await details.evaluate((element) => { element.open = true; });
        }
        await accessible(page, `${name}, ${width}, ${colorScheme}, open`);
        await shot("-open");
        assert.deepEqual(wrong, []);
        await close();
      }
    }
  },

  // A report: everywhere on a screen, on paper of two sizes, and without colour; nothing runs in it.
  async report(name, ...texts) {
    mkdirSync(new URL("screenshots/", target), { recursive: true });
    const at = (what) => new URL(`screenshots/report-${name}-${what}`, target).pathname;
    for (const colorScheme of SCHEMES) {
      for (const [width, height] of [[360, 740], [1280, 900]]) {
        const { page, wrong, close } = await open({ viewport: { width, height }, colorScheme });
        await page.screenshot({
          path: at(`${width}-${colorScheme}.png`),
          clip: { x: 0, y: 0, width, height: Math.min(8000, await heightOf(page)) },
          fullPage: true,
        });
        await accessible(page, `${name}, ${width}, ${colorScheme}`);
        const wide = await page.$$eval("section", (sections) => sections
          .filter((section) => section.scrollWidth > section.clientWidth).map((section) => section.id));
        assert.deepEqual(wide, [], `wider than ${width} px`);
        const whole = await page.locator("body").innerText();
        for (const text of texts) assert.ok(whole.includes(text), `no ${text} in ${whole}`);
        const foreign = "script, img, iframe, link, object, [onerror], [style]";
        assert.equal(await page.$$eval(foreign, (elements) => elements.length), 0);
        assert.deepEqual(wrong, []);
        await close();
      }
    }
    await printed(at);
  },

  // Names that the wire chose are text, to the last character.
  async hostile(...hosts) {
    const { page, wrong, headers, close } = await open();
    const shown = await page.$$eval("h4", (titles) => titles.map((title) => title.textContent));
    for (const host of hosts) assert.ok(shown.includes(host), `${host} is not in ${shown}`);
    const foreign = "main script, main img, main iframe, main style, main [onerror], main [style]";
    assert.equal(await page.$$eval(foreign, (elements) => elements.length), 0);
    const policy = headers["content-security-policy"];
    assert.match(policy, /^default-src 'none'; style-src 'sha256-[^ ]+'; script-src 'sha256-/);
    assert.ok(!policy.includes("unsafe"), policy);
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["referrer-policy"], "no-referrer");
    // Even what gets in does not run.
    await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.body.append(script);
    });
    assert.equal(await page.evaluate(() => window.ran), undefined);
    assert.ok(wrong.every((what) => what.includes("Content Security Policy")), wrong.join("\n"));
    await close();
  },

  // Without JavaScript every number is there, and nothing that would not work.
  async plain(...texts) {
    const { page, wrong, close } = await open({ javaScriptEnabled: false });
    const whole = await page.locator("main").textContent();
    for (const text of texts) assert.ok(whole.includes(text), `no ${text} in ${whole}`);
    for (const control of await page.locator("button, input").all()) {
      assert.equal(await control.isVisible(), false);
    }
    assert.ok(await page.getByText("Reload for newer counts").isVisible());
    const first = page.locator("details").last();
    await first.locator("summary").click();
    assert.notEqual(await first.getAttribute("open"), null);
    assert.deepEqual(wrong, []);
    await close();
  },

  // Everything that does something is reached by Tab, shows that it is, and answers to keys.
  async keyboard() {
    const { page, wrong, close } = await open();
    const usable = "a[href], button, input, summary";
    const wanted = await page.$$eval(usable, (elements) => elements
      .filter((element) => element.checkVisibility() || element.matches(".skip"))
      .map((element, i) => (element.dataset.test = String(i))));
    const reached = [];
    for (;;) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const element = document.activeElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        const { width, height } = element.getBoundingClientRect();
        const isSeen = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
        return { test: element.dataset.test, isSeen, size: Math.min(width, height) };
      });
      if (at.test === undefined || reached.includes(at.test)) break;
      assert.ok(at.isSeen, `focus on ${wanted[at.test]} is not seen`);
      assert.ok(at.size >= 12, `${at.test} is ${at.size} high or wide`);
      reached.push(at.test);
    }
    assert.deepEqual(reached, wanted);
    await page.locator(".skip").focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "hosts");
    const details = page.locator("main details").last();
    const isOpen = () => details.evaluate((element) => element.open);
    const before = await isOpen();
    await details.locator("summary").first().focus();
    await page.keyboard.press("Enter");
    assert.equal(await isOpen(), !before);
    const pause = page.getByRole("button", { name: "Pause updates" });
    await pause.focus();
    await page.keyboard.press("Space");
    assert.equal(await pause.getAttribute("aria-pressed"), "true");
    assert.deepEqual(wrong, []);
    await close();
  },

  // Hosts can be found by a part of their name.
  async find(part, count, all) {
    const { page, wrong, close } = await open();
    await page.getByLabel("Find hosts").fill(part);
    await page.getByText(`${count} of ${all} hosts`).waitFor();
    assert.equal(await page.locator(".hosts > li:visible").count(), Number(count));
    await page.getByLabel("Find hosts").fill("");
    await page.getByLabel("Only mismatches and findings").check();
    const odd = await page.locator(".hosts > li:has(.tags)").count();
    assert.equal(await page.locator(".hosts > li:visible").count(), odd);
    assert.deepEqual(wrong, []);
    await close();
  },

  // Counts change in place; when sealwatch ends, the page says so. What is to happen meanwhile is
  // told line by line.
  async update(before, after) {
    const { page, wrong, close } = await open();
    const told = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
    await page.getByRole("heading", { name: before }).waitFor();
    const host = page.locator(".hosts details").last();
    await page.evaluate(() => { window.same = true; });
    const isOpen = await host.evaluate((element) => (element.open = !element.open));
    await host.locator("summary").first().focus();
    await page.evaluate(() => scrollTo(0, 120));
    console.log("before");
    await page.getByRole("heading", { name: after }).waitFor();
    assert.equal(await page.evaluate(() => window.same), true);
    assert.equal(await host.evaluate((element) => element.open), isOpen);
    assert.ok(await host.evaluate((element) => element.contains(document.activeElement)));
    assert.equal(await page.evaluate(() => scrollY), 120);
    assert.equal(await page.getByRole("status").first().textContent(), after);
    assert.match(await page.title(), new RegExp(after));
    assert.deepEqual(wrong, []);
    console.log("after");
    await told.next();
    await page.getByRole("alert").getByText("Not up to date: it does not answer.").waitFor();
    await accessible(page, "stale");
    await close();
  },
};

// On paper there is nothing dark, nothing is cut off, and every table's head is on each of its pages.
async function printed(at) {
  for (const [format, width] of [["A4", 688], ["Letter", 710]]) {
    const { page, close } = await open({ viewport: { width, height: 900 }, colorScheme: "dark" });
    await page.emulateMedia({ media: "print" });
    await accessible(page, format);
    const [ground, heads, kept, signature] = await page.evaluate(() => [
      getComputedStyle(document.body).backgroundColor,
      [...document.querySelectorAll("thead")].map((head) => getComputedStyle(head).display),
      [...document.querySelectorAll("tr")].map((row) => getComputedStyle(row).breakInside),
      document.querySelector("#signature").checkVisibility(),
    ]);
    assert.equal(ground, "rgba(0, 0, 0, 0)");
    assert.ok(heads.every((display) => display === "table-header-group"), heads.join());
    assert.ok(kept.every((breaks) => breaks === "avoid"), kept.join());
    assert.ok(signature);
    await page.screenshot({ path: at(`${format}.png`), fullPage: true });
    const pdf = await page.pdf({ format, path: at(`${format}.pdf`) });
    assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
    await close();
  }
}

const heightOf = (page) => page.evaluate(() => document.documentElement.scrollHeight);

async function accessible(page, where) {
  await page.evaluate(axe);
  const { violations, incomplete } = await page.evaluate(async (values) => {
    const only = { type: "tag", values };
    const results = await window.axe.run({ runOnly: only, resultTypes: ["violations", "incomplete"] });
    const told = (of) => of.map(({ id, nodes }) =>
      `${id}: ${nodes.length} × ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`);
    return { violations: told(results.violations), incomplete: told(results.incomplete) };
  }, RULES);
  assert.deepEqual(violations, [], where);
  for (const line of incomplete) console.error(`undecided (${where}): ${line}`);
  const [inner, content] = await page.evaluate(() =>
    [document.documentElement.clientWidth, document.documentElement.scrollWidth]);
  assert.ok(content <= inner, `${where}: ${content} px wide`);
}

try {
  await scenarios[scenario](...given);
} finally {
  await browser.close();
}
process.exit();
