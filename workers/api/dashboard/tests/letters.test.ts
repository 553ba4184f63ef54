// Dead letters, in as many calls as it takes.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Replayed } from "../src/api/types.ts";
import { discard, replay } from "../src/model/letters.ts";

/** A client that answers with these values, one a call. */
function answering(...values: object[]) {
  const orders: object[] = [];
  const post = async (_path: string, order: unknown) => {
    orders.push(order as object);
    return { status: 200, value: values.shift() };
  };
  return { orders, client: { post } as unknown as Parameters<typeof replay>[0] };
}
const replayed = (more: Partial<Replayed>): Replayed => ({ selected: 0, replayed: 0, counted: 0, duplicates: 0, stillDead: 0, failed: 0, remaining: 0, letters: [], ...more });

test("all of a reason are replayed call by call, each going on where the one before ended", async () => {
  const { client, orders } = answering(replayed({ replayed: 90, stillDead: 10, remaining: 60, nextCursor: "c" }), replayed({ replayed: 50, remaining: 10, nextCursor: null }));
  const told: number[] = [];
  const sum = await replay(client, { reason: "sealed" }, (so) => told.push(so.replayed));
  assert.deepEqual(orders, [{ all: true, reason: "sealed" }, { all: true, reason: "sealed", cursor: "c" }]);
  assert.deepEqual([sum.replayed, sum.stillDead, sum.remaining, told], [140, 10, 10, [90, 140]]);
});

test("letters that were chosen go a hundred a call", async () => {
  const { client, orders } = answering(replayed({ replayed: 100 }), replayed({ replayed: 1, remaining: 7 }));
  const sum = await replay(client, Array.from({ length: 101 }, (_, index) => String(index)), () => {});
  assert.deepEqual(orders.map((order) => (order as { ids: string[] }).ids.length), [100, 1]);
  assert.deepEqual([sum.replayed, sum.remaining], [101, 7]);
});

test("discarding a reason goes on until nothing is left, or nothing moves", async () => {
  const first = answering({ discarded: 100, remaining: 50 }, { discarded: 50, remaining: 0 });
  assert.deepEqual(await discard(first.client, { reason: "sealed" }), { discarded: 150, remaining: 0 });
  const second = answering({ discarded: 100, remaining: 50 }, { discarded: 0, remaining: 50 });
  assert.deepEqual(await discard(second.client, { reason: "sealed" }), { discarded: 100, remaining: 50 });
  assert.deepEqual(second.orders, [{ all: true, reason: "sealed" }, { all: true, reason: "sealed" }]);
});
