// Each alert fires by its cause, once, and resolves; and what is told is told once, whatever dies or comes twice.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../../scripts/until.mjs";
import { SECRETS, changed, demoOrigin, promptConsumer, real } from "./support/configs.mjs";
import { event, hourOf } from "./support/events.mjs";
import { ask, producer, testOrigin } from "./support/proxies.mjs";
import { problemOf, startProduct } from "./support/product.mjs";
import { signatureOf, startReceiver } from "./support/receiver.mjs";

const BOUND = { timeout: 120_000 };
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const SECRET = "a-secret-of-the-receiver";

let product;
let receiver;
/** The minute that was run last. Time goes on as the tests say: a run is of the minute that it was scheduled for. */
let minute = Math.floor(Date.now() / MINUTE_MS);

before(async () => {
  receiver = await startReceiver();
  const withWebhook = (url, vars = {}) => ({ vars: { ...vars, ALERT_WEBHOOK_URL: url } });
  const api = (change, name) =>
    changed("api", (config) => {
      const { vars, ...more } = change(config);
      return { ...(name ? { name } : {}), ...more, vars: { ...config.vars, ...vars } };
    });
  product = await startProduct([
    api(() => withWebhook(`${receiver.origin}/hook/path-of-the-receiver?key=key-of-the-receiver`, { ALERT_WEBHOOK_SECRET: SECRET, DASHBOARD_URL: "http://localhost:8788/", CACHE_SECONDS: "1" })),
    promptConsumer(),
    real("producer"),
    real("archiver", { D1_LIMIT_BYTES: "1000000" }),
    demoOrigin,
    testOrigin,
    producer("queueless", { queues: {} }),
    api(() => withWebhook(`${receiver.origin}/slack`, { ALERT_WEBHOOK_FORMAT: "slack" }), "api-slack"),
    api(() => ({ vars: {} }), "api-no-webhook"),
    api(() => withWebhook("http://elsewhere.example/topsecret"), "api-wrong"),
  ]);
  await product.collect([event(1)]);
  await until(async () => (await admin("GET", "/admin/health")).heartbeat && (await admin("GET", "/admin/health")).snapshot, { what: "a heartbeat and a snapshot" });
});
after(async () => {
  await product?.stop();
  await receiver?.stop();
});

async function admin(method, path, body, from) {
  const init = { method, headers: { authorization: `Bearer ${SECRETS.ADMIN_TOKEN}` }, body: body && JSON.stringify(body) };
  const response = await (from ? product.script(from) : product.worker("api")).fetch(path, init);
  assert.equal(response.status, 200, `${path}: ${await response.clone().text()}`);
  return response.json();
}
const cron = (at = minute, from) => (from ? product.script(from) : product.worker("api")).scheduled({ cron: "* * * * *", scheduledTime: new Date(at * MINUTE_MS) });

/** Runs so many minutes, one after another, with what is fresh kept fresh. */
async function pass(minutes, { beating = true } = {}) {
  for (let n = 0; n < minutes; n += 1) {
    if (beating) await beat();
    minute += 1;
    await cron();
  }
}
async function beat() {
  const kv = product.kv();
  await kv.put("aggregator:heartbeat", String(Date.now()));
  const pointer = await kv.get("paths:snapshot:latest", "json");
  await kv.put("paths:snapshot:latest", JSON.stringify({ ...pointer, updatedAt: Date.now() }));
}
const ruleOf = async (name) => (await admin("GET", "/admin/alerts")).rules.find((rule) => rule.name === name);
const heard = () => receiver.got.length;

/** Holds an alert to its course: told once while its cause lasts, and resolved once when it is gone. */
async function course(rule, { cause, mend, level = "warning", hold = 0, ...options }) {
  const before = heard();
  await cause();
  await pass(hold + 3, options);
  assert.deepEqual(receiver.of(rule).slice(-1), [`firing ${level}`], rule);
  assert.equal(receiver.got.slice(before).filter(({ json }) => json.rule === rule).length, 1, `${rule} is told once`);
  const { status, level: shown, notifiedAt } = await ruleOf(rule);
  assert.deepEqual([status, shown], ["firing", level]);
  assert.ok(notifiedAt, rule);
  await mend();
  await pass(7);
  const told = receiver.got.slice(before).filter(({ json }) => json.rule === rule);
  assert.deepEqual(told.map(({ json }) => json.state), ["firing", "resolved"], rule);
  assert.equal(new Set(told.map(({ json }) => json.id)).size, 2);
  assert.equal(new Set(told.map(({ json }) => json.alert)).size, 1, "both are of one episode");
  assert.equal((await ruleOf(rule)).status, "ok");
  return told.map(({ json }) => json);
}

test("a quiet minute writes one row and tells nobody", BOUND, async () => {
  // The limit of this database is a million bytes: so small that some tens of kilobytes count.
  await pass(2);
  assert.deepEqual(receiver.got, []);
  assert.equal((await product.row("SELECT count(*) AS n FROM alert_samples")).n, 2);
  for (const table of ["alert_states", "alert_notifications", "alert_silences"]) assert.equal((await product.row(`SELECT count(*) AS n FROM ${table}`)).n, 0, table);
  // The same minute again, at once and late.
  await Promise.all([cron(), cron(), cron(minute - 1)]);
  assert.equal((await product.row("SELECT count(*) AS n FROM alert_samples")).n, 2);
});

test("dead-letters: a message that is no event", BOUND, async () => {
  const [fired] = await course("dead-letters", {
    cause: async () => {
      await (await product.worker("producer").getEnv()).TRAFFIC_QUEUE.send("no event");
      await until(async () => (await product.row("SELECT count(*) AS n FROM dead_letters")).n === 1, { what: "a letter" });
    },
    mend: async () => {
      const { letters } = await admin("GET", "/admin/dead-letters");
      await admin("POST", "/admin/dead-letters/discard", { ids: letters.map(({ id }) => id) });
    },
  });
  assert.match(fired.detail, /most of them "not_json"/);
});

test("outbox and lost-requests: what the queue refused, and what the database refused too", BOUND, async () => {
  const refused = event(7);
  await course("outbox", {
    cause: async () => {
      assert.equal((await product.collect([refused], { from: "pathstats-producer-queueless" })).status, 202);
      await until(async () => (await product.row("SELECT count(*) AS n FROM outbox")).n === 1, { what: "a message in the outbox" });
    },
    // The consumer's own cron takes it in.
    mend: async () => {
      await product.worker("consumer").scheduled({ cron: "*/5 * * * *" });
      await until(async () => (await product.row("SELECT count(*) AS n FROM outbox")).n === 0, { what: "an empty outbox" });
    },
  });
  assert.equal((await product.row("SELECT count(*) AS n FROM traffic_events WHERE id = ?", refused.id)).n, 1, "nothing of it is lost");
  await course("lost-requests", {
    cause: async () => {
      await product.rows("ALTER TABLE outbox RENAME TO gone");
      await ask(product, "queueless", "/lost");
      await until(() => product.row("SELECT 1 FROM recording_drops WHERE reason = 'lost'"), { what: "the loss is noted" });
      await product.rows("ALTER TABLE gone RENAME TO outbox");
    },
    // A day goes by.
    mend: () => product.rows("UPDATE recording_drops SET hour_bucket = ?", hourOf(Date.now() - 2 * DAY_MS)),
  });
});

test("database: it is filled beyond 80 % of its limit", BOUND, async () => {
  const [fired] = await course("database", {
    level: "critical",
    cause: () => product.rows("INSERT INTO path_stats_daily_bases SELECT '/fill-' || value, '2020-01-01', 1, zeroblob(5000) FROM json_each(?)", JSON.stringify([...Array(250).keys()])),
    mend: () => product.rows("DELETE FROM path_stats_daily_bases"),
  });
  assert.equal(fired.unit, "share");
  assert.ok(fired.value > 0.9, fired.value);
});

test("archive-failed, archive-late and reconciliation: a database that refuses, a day that waits, a row that was changed", BOUND, async () => {
  const trigger = (date, path = "trigger", more = {}) => product.worker("api").fetch(`/admin/${path}`, { method: "POST", headers: { authorization: `Bearer ${SECRETS.ADMIN_TOKEN}` }, body: JSON.stringify({ date, wait: true, ...more }) });
  const at = Date.now() - 2 * DAY_MS;
  const date = new Date(at).toISOString().slice(0, 10);
  await product.collect([event(21, { timestamp: at }), event(22, { timestamp: at })]);
  await until(async () => (await product.row("SELECT sum(requests) AS n FROM path_stats_hourly WHERE hour_bucket = ?", hourOf(at)))?.n === 2, { what: "the day is counted" });
  const [failed] = await course("archive-failed", {
    cause: async () => {
      await product.rows("ALTER TABLE archive_pages RENAME TO gone");
      assert.notEqual((await trigger(date, "archive/trigger")).status, 200);
      await product.rows("ALTER TABLE gone RENAME TO archive_pages");
    },
    // As the runbook says.
    mend: async () => assert.equal((await trigger(date, "archive/trigger")).status, 200),
  });
  assert.match(failed.detail, /archive_pages/);
  await course("reconciliation", {
    cause: async () => {
      await product.rows("UPDATE path_stats_hourly SET requests = requests + 3 WHERE hour_bucket = ?", hourOf(at));
      assert.equal((await trigger(date, "reconcile")).status, 200);
    },
    mend: async () => assert.equal((await trigger(date, "reconcile", { repair: true })).status, 200),
  });
  assert.equal((await product.row("SELECT sum(requests) AS n FROM path_stats_hourly WHERE hour_bucket = ?", hourOf(at))).n, 2);
  const old = event(5, { timestamp: Date.now() - 9 * DAY_MS });
  await course("archive-late", {
    level: "critical",
    // Nights went by without a run.
    cause: () => product.rows("INSERT INTO traffic_events (id, path, method, status) VALUES (?, '/', 'GET', 200)", old.id),
    // As the runbook says.
    mend: () => admin("POST", "/admin/archive/trigger", { date: new Date(old.timestamp).toISOString().slice(0, 10), wait: true }),
  });
});

test("alert-store: D1 takes no state, and people hear of it all the same", BOUND, async () => {
  await product.rows("ALTER TABLE alert_states RENAME TO gone");
  try {
    await pass(3);
    assert.deepEqual(receiver.of("alert-store"), ["firing warning"]);
    await pass(3);
    assert.deepEqual(receiver.of("alert-store"), ["firing warning", "firing critical"]);
  } finally {
    await product.rows("ALTER TABLE gone RENAME TO alert_states");
  }
  await pass(7);
  assert.deepEqual(receiver.of("alert-store"), ["firing warning", "firing critical", "resolved critical"]);
  assert.equal(await product.kv().get("alerts:outage"), null);
});

test("what is critical by and by is told once more, and what lasts is reminded of", BOUND, async () => {
  const rule = "dead-letters";
  const before = receiver.of(rule).length;
  const letters = (ids) => product.rows("INSERT INTO dead_letters SELECT 'many-' || value, 'not_json', '', 'x', 1, ? FROM json_each(?)", Date.now(), JSON.stringify(ids));
  await letters([0]);
  await pass(2);
  await letters([...Array(1_001).keys()].slice(1));
  await pass(2);
  assert.deepEqual(receiver.of(rule).slice(before), ["firing warning", "firing critical"]);
  minute += 239;
  await pass(3);
  assert.deepEqual(receiver.of(rule).slice(before), ["firing warning", "firing critical", "reminder critical"]);
  await product.rows("DELETE FROM dead_letters");
  await pass(7);
  assert.deepEqual(receiver.of(rule).slice(before + 3), ["resolved critical"]);
});

test("what is sent is signed, and has an id of its own", BOUND, () => {
  assert.ok(heard() > 15);
  assert.equal(new Set(receiver.got.map(({ json }) => json.id)).size, heard(), "no id came twice");
  for (const { headers, body, json, method, path } of receiver.got) {
    assert.equal(headers["x-pathstats-signature"], signatureOf(SECRET, { headers, body }));
    assert.equal(headers["x-pathstats-notification"], json.id);
    assert.equal(method, "POST");
    assert.match(path, /^\/hook\//);
    for (const field of ["summary", "firstStep", "runbook", "since", "at"]) assert.ok(json[field], field);
  }
});

test("crons that run at once tell each thing once", BOUND, async () => {
  const before = heard();
  await product.rows("INSERT INTO outbox VALUES ('2-a/0/0', '{}', ?)", Date.now());
  await beat();
  minute += 2;
  await Promise.all([cron(), cron(), cron(minute - 1), cron(), cron()]);
  await pass(2);
  assert.deepEqual(receiver.got.slice(before).map(({ json }) => `${json.rule} ${json.state}`), ["outbox firing"]);
  await product.rows("DELETE FROM outbox");
  await pass(7);
  assert.deepEqual(receiver.got.slice(before).map(({ json }) => json.state), ["firing", "resolved"]);
});

test("a receiver that is away gets it later, in order, and the API tells what it answered without a secret", BOUND, async () => {
  const before = heard();
  receiver.answer = { status: 503, text: "key-of-the-receiver is away, path-of-the-receiver" };
  await product.rows("INSERT INTO outbox VALUES ('3-a/0/0', '{}', ?)", Date.now());
  await pass(1);
  await product.rows("DELETE FROM outbox");
  await pass(7);
  const attempts = receiver.got.slice(before).map(({ json }) => json);
  assert.ok(attempts.length >= 3 && attempts.length <= 5, `${attempts.length} attempts: after 1, 2 and 4 minutes`);
  assert.equal(new Set(attempts.map(({ id }) => id)).size, 1, "each with the same id, and the end waits for the beginning");
  const { deliveries, webhook } = await admin("GET", "/admin/alerts");
  const [last, first] = deliveries;
  assert.deepEqual([first.status, first.state, last.status, last.attempts], ["pending", "firing", "pending", 0]);
  assert.equal(first.answer, "status 503: (hidden) is away, (hidden)");
  assert.deepEqual(webhook, { host: new URL(receiver.origin).host, format: "json", signed: true });
  receiver.answer = { status: 200, text: "ok" };
  minute += 15;
  await pass(2);
  const told = receiver.got.slice(before + attempts.length).map(({ json }) => json.state);
  assert.deepEqual(told, ["firing", "resolved"]);
  const after = await admin("GET", "/admin/alerts");
  assert.deepEqual(after.deliveries.slice(0, 2).map(({ status, answer }) => [status, answer]), [["sent", "status 200: ok"], ["sent", "status 200: ok"]]);
  assert.ok(!JSON.stringify(after).includes("key-of-the-receiver"));
});

test("a silence holds back what is told, by whom and why, and what still fires is told behind it", BOUND, async () => {
  const before = heard();
  // A silence ends by the real clock, and minutes here go ahead of it: none that is set lasts long enough but the longest.
  const silence = await admin("POST", "/admin/alerts/silence", { rule: "outbox", minutes: 43_000, reason: "the queue is moved" });
  assert.deepEqual([silence.rule, silence.by, silence.reason], ["outbox", "token:admin", "the queue is moved"]);
  await product.rows("INSERT INTO outbox VALUES ('4-a/0/0', '{}', ?)", Date.now());
  await pass(3);
  assert.equal(heard(), before);
  const shown = await ruleOf("outbox");
  assert.deepEqual([shown.status, shown.notifiedAt, shown.silencedUntil], ["firing", null, silence.until]);
  assert.deepEqual((await admin("GET", "/admin/alerts")).silences, [silence]);
  assert.deepEqual(await admin("POST", "/admin/alerts/unsilence", { rule: "outbox" }), { ended: true });
  assert.deepEqual(await admin("POST", "/admin/alerts/unsilence", { rule: "outbox" }), { ended: false });
  await pass(2);
  assert.deepEqual(receiver.got.slice(before).map(({ json }) => json.state), ["firing"]);
  await admin("POST", "/admin/alerts/silence", { rule: "all", minutes: 43_000, reason: "a deployment" });
  await product.rows("DELETE FROM outbox");
  await pass(7);
  assert.equal(heard(), before + 1, "its end is held back too");
  await admin("POST", "/admin/alerts/unsilence", { rule: "all" });
  await pass(1);
  assert.deepEqual(receiver.got.slice(before).map(({ json }) => json.state), ["firing", "resolved"]);
  const { entries } = await admin("GET", "/admin/audit");
  assert.ok(entries.some(({ action, target }) => action === "POST /admin/alerts/silence" && target.includes("a deployment")));
});

test("a test goes to the receiver, and its answer comes back; Slack gets what Slack takes", BOUND, async () => {
  const sent = await admin("POST", "/admin/alerts/test");
  assert.deepEqual([sent.delivered, sent.answer], [true, "status 200: ok"]);
  const last = receiver.got.at(-1);
  assert.deepEqual([last.json.state, last.json.id], ["test", sent.id]);
  receiver.answer = { status: 302, text: "", headers: { location: `${receiver.origin}/else` } };
  assert.equal((await admin("POST", "/admin/alerts/test")).delivered, false);
  assert.ok(receiver.got.every(({ path }) => path !== "/else"), "a redirect is not followed");
  receiver.answer = null;
  const started = Date.now();
  const late = await admin("POST", "/admin/alerts/test");
  assert.deepEqual([late.delivered, late.answer], [false, "no answer within 5 s"]);
  assert.ok(Date.now() - started < 10_000);
  receiver.answer = { status: 200, text: "ok" };
  await admin("POST", "/admin/alerts/test", undefined, "api-slack");
  const { json, path } = receiver.got.at(-1);
  assert.deepEqual([path, json.blocks.length], ["/slack", 2]);
  assert.match(json.text, /^:large_blue_circle: Test: A test of the alerts, sent by token:admin/);
});

test("without a receiver, or with one that cannot be, the API says so", BOUND, async () => {
  const init = { method: "POST", headers: { authorization: `Bearer ${SECRETS.ADMIN_TOKEN}` } };
  const none = await problemOf(await product.script("api-no-webhook").fetch("/admin/alerts/test", init));
  assert.deepEqual([none.status, none.type], [409, "about:blank#no_webhook"]);
  assert.equal((await admin("GET", "/admin/alerts", undefined, "api-no-webhook")).webhook, null);
  for (const [method, path] of [["POST", "/admin/alerts/test"], ["GET", "/admin/alerts"]]) {
    const wrong = await problemOf(await product.script("api-wrong").fetch(path, { ...init, method }));
    assert.match(wrong.detail, /^secret ALERT_WEBHOOK_URL cannot be used/);
    assert.ok(!wrong.detail.includes("topsecret"));
  }
});

test("history is told in pages, minute by minute", BOUND, async () => {
  const to = (minute + 1) * MINUTE_MS;
  const range = `from=${to - 10 * MINUTE_MS}&to=${to}`;
  // Minutes of these tests lie ahead of the clock; pages are of what was asked for.
  const whole = await admin("GET", `/admin/alerts/history?${range}`);
  assert.ok(whole.samples.length >= 9, `${whole.samples.length} samples`);
  assert.equal(whole.nextCursor, null);
  const pages = [];
  for (let cursor = null; ; ) {
    const page = await admin("GET", `/admin/alerts/history?${range}&limit=3${cursor ? `&cursor=${cursor}` : ""}`);
    pages.push(...page.samples);
    cursor = page.nextCursor;
    if (!cursor) break;
  }
  assert.deepEqual(pages, whole.samples);
  const { at, values } = whole.samples.at(-1);
  assert.equal(at, new Date(minute * MINUTE_MS).toISOString());
  assert.equal(values.outbox, 0);
  assert.ok(values.heartbeat < 60, values.heartbeat);
});
