// Calls to the api: tokens, values that still hold, and what failures become.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { makeClient, withQuery } from "../src/api/client.ts";
import { ApiError, Unreachable, kindOfError } from "../src/api/errors.ts";
import { GIVE_UP_MS, newerSnapshot } from "../src/model/newer.ts";

const real = globalThis.fetch;
afterEach(() => void (globalThis.fetch = real));

function answering(...answers: (Response | Error)[]) {
  const asked: { path: string; headers: Headers; init: RequestInit }[] = [];
  globalThis.fetch = async (path, init = {}) => {
    asked.push({ path: String(path), headers: new Headers(init.headers), init });
    const answer = answers.shift();
    if (!answer || answer instanceof Error) throw answer ?? new TypeError("no answer");
    return answer;
  };
  return asked;
}
const problem = (status: number, headers = {}) => new Response(JSON.stringify({ type: "about:blank#code", title: "Title", detail: "detail" }), { status, headers });

test("a token is sent as a bearer, and none is not", async () => {
  const asked = answering(Response.json({}), Response.json({}));
  await makeClient("secret", () => {}).get("/paths");
  await makeClient(null, () => {}).get("/paths");
  assert.deepEqual(asked.map(({ headers }) => headers.get("authorization")), ["Bearer secret", null]);
});

test("a value that still holds is the same object again", async () => {
  const asked = answering(Response.json({ n: 1 }, { headers: { etag: '"a"' } }), new Response(null, { status: 304 }), Response.json({ n: 2 }));
  const client = makeClient(null, () => {});
  const first = await client.get("/paths");
  assert.equal(await client.get("/paths"), first);
  assert.deepEqual(await client.get("/paths"), { n: 2 });
  assert.deepEqual(asked.map(({ headers }) => headers.get("if-none-match")), [null, '"a"', '"a"']);
});

test("401 is told to whoever keeps the session; every refusal says what and how long", async () => {
  answering(problem(401), problem(429, { "retry-after": "42", "x-request-id": "r-1" }));
  const refused: number[] = [];
  const client = makeClient("old", (error) => void refused.push(error.status));
  await assert.rejects(client.get("/paths"), (error: ApiError) => kindOfError(error) === "unauthorized" && error.code === "code");
  await assert.rejects(client.get("/paths"), (error: ApiError) => error.retryAfter === 42 && error.requestId === "r-1" && error.message === "detail");
  assert.deepEqual(refused, [401]);
});

test("a page of another server is no problem of the api's, but an error all the same", async () => {
  answering(new Response("<html>bad gateway", { status: 502 }), new Response("<html>login", { status: 200 }), new TypeError("failed"));
  const client = makeClient(null, () => {});
  await assert.rejects(client.get("/a"), (error) => kindOfError(error) === "unavailable" && !(error as Error).message.includes("html"));
  await assert.rejects(client.get("/a"), (error) => error instanceof Unreachable);
  await assert.rejects(client.get("/a"), (error) => kindOfError(error) === "unreachable");
});

test("a query leaves out what is not given, and encodes the rest", () => {
  assert.equal(withQuery("/paths/stats", { path: "/a b&c", method: null, limit: 5, cursor: "" }), "/paths/stats?path=%2Fa+b%26c&limit=5");
});

/** A client that answers with these versions, and a clock that goes on with each pause. */
function world(versions: number[]) {
  let now = 0;
  const asked: string[] = [];
  const client = {
    get: async (path: string) => {
      asked.push(path);
      return { version: versions.length > 1 ? versions.shift() : versions[0] };
    },
  } as unknown as Parameters<typeof newerSnapshot>[0];
  return { client, asked, pause: async (ms: number) => void (now += ms), clock: () => now };
}

test("a refresh is over when the version grows", async () => {
  const { client, asked, pause, clock } = world([7, 7, 7, 8]);
  assert.equal((await newerSnapshot(client, () => {}, pause, clock))?.version, 8);
  assert.deepEqual([asked[0], asked[1], asked.length], ["/paths?limit=100&refresh=true", "/paths?limit=100", 4]);
});

test("a refresh gives up after half a minute", async () => {
  const { client, pause, clock } = world([7]);
  assert.equal(await newerSnapshot(client, () => {}, pause, clock), null);
  assert.ok(clock() >= GIVE_UP_MS && clock() <= GIVE_UP_MS + 1000);
});
