// Has schemathesis ask the running Workers whatever their OpenAPI document allows, and what it does not, once with each token.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { TOOLS } from "../../scripts/paths.mjs";
import { until } from "../../scripts/until.mjs";
import { dayOfEvents, daysAgo } from "../e2e/support/archive.mjs";
import { SECRETS } from "../e2e/support/configs.mjs";
import { traffic } from "../e2e/support/events.mjs";
import { startOnState } from "../e2e/support/runtime.mjs";

// Not `ignored_auth`: it takes the 429 after twenty tries a minute for a fault. tests/e2e/conformance.test.mjs asks without a token.
const CHECKS = [
  "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
  "response_headers_conformance", "unsupported_method",
];
const SEED = 20_261_121;

const runtime = await startOnState();
let failed = 0;
try {
  const day = daysAgo(5);
  const events = [...traffic({ count: 300, paths: 5, hours: 3 }), ...dayOfEvents(day.start, 50, { first: 1_000 })];
  const call = (name, path, token, body) =>
    runtime.fetch(name, path, { method: "POST", headers: { authorization: `Bearer ${token}` }, body: JSON.stringify(body) });
  await call("producer", "/collect", SECRETS.INGEST_TOKEN, events);
  await until(async () => (await runtime.row("SELECT count(*) AS n FROM traffic_events")).n === events.length, { within: 60_000, what: "all events stored" });
  await runtime.rows("INSERT INTO dead_letters (id, reason, detail, body, attempts, first_seen) VALUES ('letter-1', 'not_json', 'a test', 'not json', 1, 1760536800000)");
  await call("api", "/admin/archive/trigger", SECRETS.ADMIN_TOKEN, { date: day.date, wait: true });
  const url = String(runtime.url("api")).replace(/\/$/, "");
  for (const token of [SECRETS.READ_TOKEN, SECRETS.ADMIN_TOKEN]) {
    const args = [
      "run", `${url}/openapi.json`, "--url", url, "-H", `Authorization: Bearer ${token}`, "--checks", CHECKS.join(","),
      "--phases", "examples,coverage,fuzzing", "--max-examples", "60", "--seed", String(SEED), "--continue-on-failure", "--exclude-deprecated",
      "--workers", "1", "--request-timeout", "60", "--suppress-health-check", "all", "--no-color", "--generation-database", "none",
      ...process.argv.slice(2),
    ];
    console.log(`── ${token === SECRETS.ADMIN_TOKEN ? "an administrator" : "a reader"}`);
    const [code] = await once(spawn(join(TOOLS, "fuzz", "bin", "schemathesis"), args, { stdio: "inherit" }), "exit");
    failed += code === 0 ? 0 : 1;
  }
} finally {
  await runtime.stop();
}
process.exitCode = failed ? 1 : 0;
