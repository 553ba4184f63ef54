// The part of Cloudflare's API that wrangler asks during a deployment, over HTTP, with the account in memory: the real
// wrangler runs against it. What it answers has the shapes of the API as wrangler reads them.
import { createServer } from "node:http";

export const ACCOUNT_ID = "0123456789abcdef0123456789abcdef";
const BASE = `/accounts/${ACCOUNT_ID}`;

/** Starts it. Resolves to its URL, the account's state, and every request that changed something. */
export async function startHttpAccount() {
  const state = { queues: [], databases: [], namespaces: [], buckets: {}, scripts: {} };
  const changes = [];
  const unknown = [];
  let ids = 0;
  const id = () => `${String(++ids).padStart(8, "0")}-0000-4000-8000-000000000000`;
  const found = (result, info) => [200, { success: true, errors: [], messages: [], result, ...(info ? { result_info: info } : {}) }];
  const refused = (status, code, message) => [status, { success: false, errors: [{ code, message }], messages: [], result: null }];
  const page = (list) => found(list, { page: 1, per_page: 100, count: list.length, total_count: list.length, total_pages: 1 });

  const addVersion = (name, metadata) => {
    const script = (state.scripts[name] ??= { tag: id(), versions: [], secrets: [], migration: undefined, subdomain: undefined });
    const version = { id: id(), number: script.versions.length + 1, annotations: { ...metadata.annotations, "workers/triggered_by": "upload" }, metadata: { created_on: new Date().toISOString(), source: "wrangler", author_email: "a@example.com" }, bindings: metadata.bindings ?? [], resources: { bindings: metadata.bindings ?? [], script: {}, script_runtime: {} } };
    script.versions.push(version);
    for (const { type, name: secret } of version.bindings) if (type === "secret_text" && !script.secrets.includes(secret)) script.secrets.push(secret);
    if (metadata.migrations) script.migration = metadata.migrations.new_tag;
    return version;
  };
  const makeLive = (name, version) => {
    state.scripts[name].deployment = { id: id(), source: "wrangler", strategy: "percentage", author_email: "a@example.com", created_on: new Date().toISOString(), annotations: {}, versions: [{ version_id: version, percentage: 100 }] };
  };

  /** Routes in order: method, pattern, what is answered. A text between slashes is one part of a path. */
  const routes = [
    ["GET", "/user/tokens/verify", () => found({ id: "t", status: "active" })],
    ["GET", "/user", () => found({ id: "u", email: "a@example.com" })],
    ["GET", "/accounts", () => page([{ id: ACCOUNT_ID, name: "Test account" }])],
    ["GET", "/memberships", () => page([{ id: "m", account: { id: ACCOUNT_ID, name: "Test account" }, roles: [] }])],
    ["GET", `${BASE}/queues`, ({ query }) => page(state.queues.filter(({ queue_name: name }) => !query.has("name") || query.getAll("name").includes(name)))],
    ["POST", `${BASE}/queues`, ({ body }) => {
      if (state.queues.some(({ queue_name: name }) => name === body.queue_name)) return refused(409, 11009, `Queue name '${body.queue_name}' is already taken. Please use a different name and try again.`);
      const queue = { queue_id: id(), queue_name: body.queue_name, created_on: "2026-01-01", modified_on: "2026-01-01", producers: [], producers_total_count: 0, consumers: [], consumers_total_count: 0 };
      state.queues.push(queue);
      return found(queue);
    }],
    ["GET", `${BASE}/queues/:queue`, ({ queue }) => found(state.queues.find((one) => one.queue_id === queue))],
    ["GET", `${BASE}/queues/:queue/consumers`, ({ queue }) => page(state.queues.find((one) => one.queue_id === queue).consumers)],
    ["POST", `${BASE}/queues/:queue/consumers`, ({ queue: given, body }) => {
      const queue = state.queues.find((one) => one.queue_id === given);
      queue.consumers.push({ consumer_id: id(), type: "worker", script: body.script_name, settings: body.settings, dead_letter_queue: body.dead_letter_queue });
      queue.consumers_total_count = queue.consumers.length;
      return found(queue.consumers.at(-1));
    }],
    ["PUT", `${BASE}/queues/:queue/consumers/:consumer`, ({ body }) => found(body)],
    ["GET", `${BASE}/d1/database`, ({ query }) => page(query.get("page") > 1 ? [] : state.databases)],
    ["POST", `${BASE}/d1/database`, ({ body }) => {
      if (state.databases.some(({ name }) => name === body.name)) return refused(400, 7502, `Database with name '${body.name}' already exists`);
      const database = { uuid: id(), name: body.name, version: "production", num_tables: 0, file_size: 0, created_at: "2026-01-01T00:00:00.000Z" };
      state.databases.push(database);
      return found(database);
    }],
    ["GET", `${BASE}/d1/database/:database`, ({ database }) => found(state.databases.find(({ uuid, name }) => [uuid, name].includes(database)))],
    ["GET", `${BASE}/d1/database/:database/time_travel/bookmark`, () => found({ bookmark: "00000001-bookmark" })],
    ["POST", `${BASE}/d1/database/:database/query`, ({ database: uuid, body }) => {
      const database = state.databases.find((one) => one.uuid === uuid);
      const applied = (database.applied ??= undefined);
      const rows = (results) => found([{ results, success: true, meta: { duration: 0.1, rows_read: 0, rows_written: 0, size_after: 0, changes: 0, last_row_id: 0, changed_db: false } }]);
      if (/CREATE TABLE IF NOT EXISTS ["`]?d1_migrations/i.test(body.sql)) {
        database.applied = applied ?? [];
        if (!/INSERT INTO/i.test(body.sql)) return rows([]);
      }
      for (const [, name] of body.sql.matchAll(/INSERT INTO ["`]?d1_migrations["`]? \(name\)\s*VALUES\s*\('([^']+)'\)/gi)) database.applied.push(name);
      if (/SELECT[^;]+FROM ["`]?d1_migrations/i.test(body.sql)) {
        if (!database.applied) return refused(400, 7500, "no such table: d1_migrations: SQLITE_ERROR");
        return rows(database.applied.map((name, n) => ({ id: n + 1, name, applied_at: "2026-01-01 00:00:00" })));
      }
      if (/FROM shard_layouts/i.test(body.sql)) return database.applied ? rows([{ shards: 1 }]) : refused(400, 7500, "no such table: shard_layouts: SQLITE_ERROR");
      return rows([]);
    }],
    ["GET", `${BASE}/storage/kv/namespaces`, ({ query }) => page(query.get("page") > 1 ? [] : state.namespaces)],
    ["POST", `${BASE}/storage/kv/namespaces`, ({ body }) => {
      if (state.namespaces.some(({ title }) => title === body.title)) return refused(400, 10014, "create namespace: 'a namespace with this account ID and title already exists'");
      state.namespaces.push({ id: id().replaceAll("-", ""), title: body.title, supports_url_encoding: true });
      return found(state.namespaces.at(-1));
    }],
    ["GET", `${BASE}/r2/buckets`, () => found({ buckets: Object.keys(state.buckets).map((name) => ({ name, creation_date: "2026-01-01" })) })],
    ["POST", `${BASE}/r2/buckets`, ({ body }) => {
      if (state.buckets[body.name]) return refused(409, 10004, "The bucket you tried to create already exists, and you own it.");
      state.buckets[body.name] = [{ id: "Default Multipart Abort Rule", enabled: true, conditions: {}, abortMultipartUploadsTransition: { condition: { type: "Age", maxAge: 604800 } } }];
      return found({ name: body.name });
    }],
    ["GET", `${BASE}/r2/buckets/:bucket`, ({ bucket }) => (state.buckets[bucket] ? found({ name: bucket, creation_date: "2026-01-01" }) : refused(404, 10006, "The specified bucket does not exist."))],
    ["GET", `${BASE}/r2/buckets/:bucket/lifecycle`, ({ bucket }) => (state.buckets[bucket] ? found({ rules: state.buckets[bucket] }) : refused(404, 10006, "The specified bucket does not exist."))],
    ["PUT", `${BASE}/r2/buckets/:bucket/lifecycle`, ({ bucket, body }) => found((state.buckets[bucket] = body.rules))],
    ["GET", `${BASE}/workers/subdomain`, () => found({ subdomain: "example" })],
    ["GET", `${BASE}/workers/services/:script`, ({ script }) => (state.scripts[script] ? found({ id: script, default_environment: { environment: "production", script: { id: script, tag: state.scripts[script].tag, tags: [], migration_tag: state.scripts[script].migration, last_deployed_from: "wrangler" } } }) : refused(404, 10090, "workers.api.error.service_not_found"))],
    ["GET", `${BASE}/workers/workers/:script`, ({ script }) => (state.scripts[script] ? found({ id: state.scripts[script].tag, name: script, subdomain: state.scripts[script].subdomain ?? { enabled: false, previews_enabled: false } }) : refused(404, 10007, "This Worker does not exist on your account."))],
    ["GET", `${BASE}/workers/scripts/:script/deployments`, ({ script }) => (state.scripts[script] ? found({ deployments: [state.scripts[script].deployment] }) : refused(404, 10007, "This Worker does not exist on your account."))],
    ["POST", `${BASE}/workers/scripts/:script/deployments`, ({ script, body }) => {
      makeLive(script, body.versions[0].version_id);
      return found({ id: state.scripts[script].deployment.id });
    }],
    ["PUT", `${BASE}/workers/scripts/:script`, ({ script, body }) => {
      const version = addVersion(script, body);
      makeLive(script, version.id);
      return found({ id: script, tag: state.scripts[script].tag, deployment_id: version.id, entry_point: "index.js", startup_time_ms: 5, available_on_subdomain: false });
    }],
    ["POST", `${BASE}/workers/scripts/:script/versions`, ({ script, body }) => {
      const version = addVersion(script, body);
      return found({ ...version, startup_time_ms: 5 });
    }],
    ["GET", `${BASE}/workers/scripts/:script/versions`, ({ script }) => found({ items: state.scripts[script].versions.toReversed() })],
    ["GET", `${BASE}/workers/scripts/:script/versions/:version`, ({ script, version }) => found(state.scripts[script].versions.find((one) => one.id === version))],
    ["GET", `${BASE}/workers/scripts/:script/secrets`, ({ script }) => found((state.scripts[script]?.secrets ?? []).map((name) => ({ name, type: "secret_text" })))],
    ["GET", `${BASE}/workers/scripts/:script/subdomain`, ({ script }) => found(state.scripts[script]?.subdomain ?? { enabled: false, previews_enabled: false })],
    ["POST", `${BASE}/workers/scripts/:script/subdomain`, ({ script, body }) => found((state.scripts[script].subdomain = body))],
    ["GET", `${BASE}/workers/scripts/:script/schedules`, () => found({ schedules: [] })],
    ["PUT", `${BASE}/workers/scripts/:script/schedules`, ({ body }) => found(body)],
    ["PATCH", `${BASE}/workers/scripts/:script/settings`, ({ body }) => found(body)],
    ["PATCH", `${BASE}/workers/scripts/:script/script-settings`, ({ body }) => found(body)],
    ["GET", `${BASE}/workers/scripts/:script/settings`, ({ script }) => found({ bindings: state.scripts[script]?.versions.at(-1)?.bindings ?? [] })],
    ["GET", `${BASE}/workers/services/:script/environments/production`, ({ script }) => found({ environment: "production", script: { id: script, tag: state.scripts[script].tag, tags: [], last_deployed_from: "wrangler" } })],
    ["GET", `${BASE}/workers/services/:script/environments/production/bindings`, () => found([])],
    ["GET", `${BASE}/workers/scripts/:script/assets-upload-session`, () => found({ jwt: "j", buckets: [] })],
    ["POST", `${BASE}/workers/scripts/:script/assets-upload-session`, () => found({ jwt: "a.b.c", buckets: [] })],
  ].map(([method, pattern, answer]) => ({ method, pattern: new RegExp(`^${pattern.replace(/:(\w+)/g, "(?<$1>[^/]+)")}$`), answer }));

  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", async () => {
      const url = new URL(request.url, "http://localhost");
      const match = routes.map(({ method, pattern, answer }) => method === request.method && { answer, groups: url.pathname.match(pattern)?.groups ?? (pattern.test(url.pathname) ? {} : undefined) }).find((one) => one && one.groups);
      const body = await bodyOf(request, Buffer.concat(chunks));
      if (request.method !== "GET" && !/^\s*SELECT/i.test(body?.sql ?? "")) changes.push(`${request.method} ${url.pathname.replace(BASE, "")}`);
      if (!match) unknown.push(`${request.method} ${url.pathname}`);
      const [status, answered] = match ? match.answer({ ...match.groups, query: url.searchParams, body }) : refused(404, 7003, `no route ${request.method} ${url.pathname} in this test`);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answered));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, state, changes, unknown, close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))) };
}

/** A JSON body, or the metadata of an upload. */
async function bodyOf(request, bytes) {
  const type = request.headers["content-type"] ?? "";
  // wrangler does not always say that its JSON is JSON.
  if (/^[[{]/.test(bytes.toString("utf8", 0, 1))) return JSON.parse(bytes.toString());
  if (!type.startsWith("multipart/form-data")) return undefined;
  const form = await new Response(bytes, { headers: { "content-type": type } }).formData();
  const metadata = form.get("metadata");
  return metadata ? JSON.parse(typeof metadata === "string" ? metadata : await metadata.text()) : {};
}
