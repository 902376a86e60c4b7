// Opens every page of a running server in both themes, wide and narrow, with and without JavaScript.
// Fails on: a Content-Security-Policy report, a console error, an axe violation, horizontal
// overflow, a failed request. A page that breaks all of these on purpose must be reported.
//
//   node run.mjs BASE_URL SIGN_IN_URL [SCREENSHOT_FOLDER]
//
// Needs Chromium (CHROMIUM names it, default /usr/bin/chromium) and the packages of package.json.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import AxeBuilder from "@axe-core/playwright";

const [base, signIn, folder] = process.argv.slice(2);
if (!base || !signIn) {
  console.error("usage: node run.mjs BASE_URL SIGN_IN_URL [SCREENSHOT_FOLDER]");
  process.exit(2);
}
if (folder) mkdirSync(folder, { recursive: true });

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const WIDE = { width: 1360, height: 860 };
const NARROW = { width: 360, height: 780 };
const AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

// What the theme can change; all else is the same in both.
const COLOR_RULES = ["color-contrast", "link-in-text-block"];
/** Pages looked at side by side. */
const WORKERS = 2;
const PATIENCE_MS = 120_000;

const failures = [];
const fail = (where, what) => failures.push(`${where}: ${what}`);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: FLAGS,
});

/** A context in which a page may take long: what is checked here is what it holds. */
async function newContext(options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}

/** Collects everything a page complains about. */
function listen(page) {
  const seen = { reports: [], errors: [] };
  page.on("request", (request) => {
    if (new URL(request.url()).pathname === "/csp-report") seen.reports.push(request.postData() ?? "");
  });
  page.on("console", (message) => {
    if (message.type() === "error") seen.errors.push(message.text());
  });
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  page.on("requestfailed", (request) => {
    // A page that is left before its icon has come is no failure.
    const reason = request.failure()?.errorText ?? "";
    if (reason !== "net::ERR_ABORTED") seen.errors.push(`failed: ${request.url()} ${reason}`);
  });
  return seen;
}

/** What is wrong with the page that is open now: `expected` is the status it may answer with. */
async function complaints(page, seen, expected, { scripted = true, colorsAlone = false } = {}) {
  const wrong = [];
  wrong.push(...seen.reports.map((report) => `CSP report ${report.slice(0, 200)}`));
  // Chromium logs an error for every answer that is not 2xx; pages that are meant to be 404 are.
  const own = (text) => !(expected >= 400 && text.includes(`status of ${expected}`));
  wrong.push(...seen.errors.filter(own).map((error) => `console: ${error}`));
  const overflow = await page.evaluate(() => {
    const root = document.documentElement;
    return root.scrollWidth - root.clientWidth;
  });
  if (overflow > 0) wrong.push(`overflows by ${overflow} px`);
  // axe needs timers, which a page without JavaScript does not have; its markup is the same.
  if (!scripted) return wrong;
  const axe = new AxeBuilder({ page }).options({ resultTypes: ["violations"] });
  if (colorsAlone) axe.withRules(COLOR_RULES);
  else axe.withTags(AXE_TAGS);
  // Legacy mode looks at the page alone; the other opens a second one to look into foreign frames, which
  // ours have none of, and takes twice as long.
  const { violations } = await axe.setLegacyMode(true).analyze();
  for (const violation of violations) {
    const nodes = violation.nodes.map((node) => node.target.join(" ")).slice(0, 3);
    wrong.push(`axe ${violation.id} (${violation.nodes.length}): ${nodes.join(" | ")}`);
  }
  return wrong;
}

/** Signs in the way people do; returns the cookies. Opening the link twice must not use it up. */
async function session() {
  const context = await newContext();
  const page = await context.newPage();
  await page.goto(signIn);
  await page.goto(signIn);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${base}/`);
  const state = await context.storageState();
  const again = await page.goto(signIn).then(() => page.getByRole("button").click())
    .then(() => page.getByRole("heading", { level: 1 }).textContent());
  if (!again.includes("no longer works")) fail("sign-in", `the link works twice: ${again}`);
  await context.close();
  return state;
}

/** Every page there is, found by following the first link of each list. */
async function addresses(state) {
  const context = await newContext({ storageState: state });
  const page = await context.newPage();
  const found = [
    ["today", "/", 200],
    ["findings", "/findings", 200],
    ["findings-urgent", "/findings?severity=high&status=open", 200],
    ["findings-none", "/findings?text=no+finding+has+this+title", 200],
    ["identities", "/identities", 200],
    ["identities-none", "/identities?text=nobody+is+called+this", 200],
    ["sources", "/sources", 200],
    ["coverage", "/coverage", 200],
    ["rules", "/rules", 200],
    ["rule", "/rule?name=code%2Fdormant", 200],
    ["rule-draft", "/rules/draft", 200],
    ["exceptions", "/exceptions", 200],
    ["grades", "/grades", 200],
    ["quarantine", "/quarantine", 200],
    ["sessions", "/sessions", 200],
    ["blind-sessions", "/blind-sessions", 200],
    ["behaviour", "/behaviour", 200],
    ["insider-risk", "/insider-risk", 200],
    ["charters", "/charters", 200],
    ["not-found", "/no-such-page", 404],
  ];
  const follow = async (name, list, selector, limit) => {
    await page.goto(base + list);
    const links = await page.locator(selector).evaluateAll((all) => all.map((a) => a.getAttribute("href")));
    links.slice(0, limit).forEach((link, place) => found.push([`${name}-${place + 1}`, link, 200]));
    return links;
  };
  const [finding] = await follow("finding", "/", "tbody a.go", 4);
  const [identity] = await follow("identity", "/identities", "tbody a.go", 4);
  found.push(["baseline", `${identity}/baseline`, 200]);
  await follow("session", "/sessions?trust_below=70", "tbody a.go[href^='/sessions/']", 3);
  await follow("source", "/sources", "tbody a.go", 8);
  const [waiting] = await follow("quarantined", "/quarantine", "a.go[href*='/quarantine/']", 3);
  if (!waiting) fail("quarantine", "the demo has no record that waits");
  if (finding) await follow("finding-event", finding, "table.trail a.go", 1);
  if (identity) await follow("identity-event", identity, "table.trail a.go", 1);
  await context.close();
  return found;
}

const state = await session();
const pages = await addresses(state);
let checked = 0;

/** Looks at the page that is open, in every theme and width: both change under an open page too. */
async function everyLook(page, look) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const [size, viewport] of [["wide", WIDE], ["narrow", NARROW]]) {
      await page.setViewportSize(viewport);
      await look(`${colorScheme}-${size}`, colorScheme === "dark");
    }
  }
}

/** Opens one page and checks every look of it. */
async function visit(context, scripted, [name, address, expected]) {
  const page = await context.newPage();
  const seen = listen(page);
  const where = `${name} ${scripted ? "js" : "no-js"}`;
  const answer = await page.goto(base + address);
  if (answer.status() !== expected) fail(where, `status ${answer.status()}, expected ${expected}`);
  if ((await page.locator("h1").count()) !== 1) fail(where, "not exactly one h1");
  await everyLook(page, async (view, colorsAlone) => {
    for (const wrong of await complaints(page, seen, expected, { scripted, colorsAlone })) fail(`${where} ${view}`, wrong);
    if (folder && scripted) {
      await page.screenshot({ path: join(folder, `${name}-${view}.png`), fullPage: true });
    }
    checked += 1;
  });
  await page.close();
}

for (const scripted of [true, false]) {
  const context = await newContext({ storageState: state, javaScriptEnabled: scripted, viewport: WIDE });
  const waiting = [...pages];
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await visit(context, scripted, next);
  };
  await Promise.all(Array.from({ length: WORKERS }, worker));
  await context.close();
}

/** Without a session: the page says how to get one, and holds nothing else. */
async function signedOut() {
  const context = await newContext();
  const page = await context.newPage();
  const seen = listen(page);
  for (const [, address] of pages.filter(([, , expected]) => expected === 200)) {
    const answer = await page.goto(base + address);
    if (answer.status() !== 401) fail(`signed out ${address}`, `status ${answer.status()}`);
  }
  for (const wrong of await complaints(page, seen, 401)) fail("signed out", wrong);
  if (folder) await page.screenshot({ path: join(folder, "signed-out-light-wide.png") });
  await page.goto(signIn);
  for (const wrong of await complaints(page, seen, 401)) fail("sign-in", wrong);
  if (folder) await page.screenshot({ path: join(folder, "sign-in-light-wide.png") });
  await context.close();
}
await signedOut();

/** The keyboard reaches search and rows. */
async function keyboard() {
  const context = await newContext({ storageState: state });
  const page = await context.newPage();
  await page.goto(`${base}/findings`);
  const rows = await page.locator("tbody a.go").count();
  await page.keyboard.press("/");
  const focused = () => page.evaluate(() => document.activeElement.getAttribute("type") ?? document.activeElement.className);
  if ((await focused()) !== "search") fail("keyboard", "/ does not reach the search field");
  if (rows > 0) {
    await page.locator("h1").click();
    await page.keyboard.press("j");
    if ((await focused()) !== "go") fail("keyboard", "j does not reach the first row");
    const href = await page.evaluate(() => document.activeElement.getAttribute("href"));
    await page.keyboard.press("Enter");
    await page.waitForURL(base + href);
  }
  await context.close();
}
await keyboard();

/** What an exception would hold back is measured, and the page that tells it is checked. */
async function exceptionPreview() {
  const context = await newContext({ storageState: state, viewport: WIDE });
  const page = await context.newPage();
  const seen = listen(page);
  const form = page.locator("details:has(form[action='/exceptions/preview'])");
  let offered = false;
  for (const [, address] of pages.filter(([name]) => /^finding-\d+$/.test(name))) {
    await page.goto(base + address);
    offered = (await form.count()) > 0;
    if (offered) break;
  }
  if (!offered) return fail("exception-preview", "no finding of the demo offers an exception");
  await form.locator("summary").click();
  await form.locator("[name=owner]").fill("lead@example.com");
  await form.locator("[name=reason]").fill("measured before it is made");
  const day = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);
  await form.locator("[name=expires]").fill(day);
  await form.getByRole("button").click();
  await page.waitForURL(`${base}/exceptions/preview`);
  const heading = await page.getByRole("heading", { level: 1 }).textContent();
  if (!heading.startsWith("It would have held back")) fail("exception-preview", `heading is "${heading}"`);
  await everyLook(page, async (view, colorsAlone) => {
    for (const wrong of await complaints(page, seen, 200, { colorsAlone })) fail(`exception-preview ${view}`, wrong);
    if (folder) await page.screenshot({ path: join(folder, `exception-preview-${view}.png`), fullPage: true });
    checked += 1;
  });
  await context.close();
}
await exceptionPreview();

/** Negative control: what must be reported is reported. */
async function negativeControl() {
  const context = await newContext({ storageState: state });
  const page = await context.newPage();
  const seen = listen(page);
  const real = await page.goto(`${base}/`);
  const policy = real.headers()["content-security-policy"];
  const body = `<!doctype html><html><body><script>globalThis.broken = true</script>
    <p style="color:#999">pale</p><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">
    <table><tr><td>${"wide".repeat(2000)}</td></tr></table></body></html>`;
  await page.route("**/negative-control", (route) =>
    route.fulfill({ status: 200, contentType: "text/html", headers: { "content-security-policy": policy }, body }));
  const reported = page.waitForRequest((request) => request.url().endsWith("/csp-report"), { timeout: 10_000 });
  await page.goto(`${base}/negative-control`);
  await reported.catch(() => {});
  const wrong = await complaints(page, seen, 200);
  for (const needed of ["CSP report", "console:", "overflows by", "axe "]) {
    if (!wrong.some((text) => text.startsWith(needed))) fail("negative control", `nothing reported as "${needed}"`);
  }
  if (await page.evaluate(() => globalThis.broken === true)) fail("negative control", "an inline script ran");
  await context.close();
}
await negativeControl();

/** Negative control: what only one theme or width breaks is reported there, and nowhere else. */
async function lookControl() {
  const context = await newContext({ viewport: WIDE });
  const page = await context.newPage();
  const seen = listen(page);
  const body = `<!doctype html><html lang="en"><head><title>Control</title><style>p { background: #fff; color: #000 }
    @media (prefers-color-scheme: dark) { p { color: #aaa } } @media (max-width: 500px) { p { width: 900px } }</style>
    </head><body><main><h1>Control</h1><p>pale in the dark</p></main></body></html>`;
  await page.route("**/look-control", (route) => route.fulfill({ status: 200, contentType: "text/html", body }));
  await page.goto(`${base}/look-control`);
  await everyLook(page, async (view, colorsAlone) => {
    const wrong = await complaints(page, seen, 200, { colorsAlone });
    const expect = (needed, expected) => {
      if (wrong.some((text) => text.startsWith(needed)) !== expected) fail(`look control ${view}`, `"${needed}": ${wrong}`);
    };
    expect("axe color-contrast", view.startsWith("dark"));
    expect("overflows by", view.endsWith("narrow"));
  });
  await context.close();
}
await lookControl();

await browser.close();
for (const failure of failures) console.error(failure);
console.log(`${checked} page views checked, ${failures.length} failures`);
process.exit(failures.length === 0 ? 0 : 1);
