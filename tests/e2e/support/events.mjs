// Events as services send them, seeded: the same seed makes the same events but for the day they lie in.
import { until } from "../../../scripts/until.mjs";
import { logNormal, seeded, zipf } from "./random.mjs";

export const HOUR_MS = 3_600_000;

/** The hour of a moment, as rows name it: `2025-10-15T14`. */
export const hourOf = (timestamp) => new Date(timestamp).toISOString().slice(0, 13);

/**
 * Waits until the hour lasts for so long still. Where the hour turns within a test, what is read of the last 24 hours
 * before and after is not of the same hours.
 */
export const hourLasts = (ms) => until(() => HOUR_MS - (Date.now() % HOUR_MS) > ms, { within: ms + 60_000, what: `an hour that lasts for ${ms / 1000} s` });

/** One event. Fields that are not given are plain ones; `undefined` leaves a field out. */
export function event(number, { timestamp = Date.now(), ...fields } = {}) {
  return {
    version: 1,
    id: `${timestamp}-${number.toString(16).padStart(8, "0")}`,
    timestamp,
    path: "/",
    method: "GET",
    status: 200,
    responseTime: 12.5,
    clientIpHash: "0123456789abcdef",
    ...fields,
  };
}

/**
 * Traffic: paths by Zipf, log-normal response times in whole microseconds, one request in twenty
 * failing, 3 % without a client, 2 % without a response time.
 *
 * They lie in the `hours` full hours before that of `now`; ids are numbered from `first`.
 */
export function traffic({ count, paths, hours, clients = 20_000, seed = 1, prefix = "", first = 0, now = Date.now() }) {
  const random = seeded(seed);
  const drawPath = zipf(paths, random);
  const drawClient = zipf(clients, random);
  const from = (Math.floor(now / HOUR_MS) - hours) * HOUR_MS;
  return Array.from({ length: count }, (_, number) => {
    const place = drawPath();
    // Every second client is drawn evenly, so that busy paths see many.
    const client = random() < 0.5 ? drawClient() : Math.floor(random() * clients);
    const microseconds = Math.max(1, Math.round(logNormal(5_000 + 400 * place, 1, random)));
    return event(first + number, {
      timestamp: from + Math.floor(random() * hours * HOUR_MS),
      path: `${prefix}/${place % 3 ? "api" : "shop"}/route-${place}`,
      method: random() < 0.8 ? "GET" : "POST",
      status: random() < 0.05 ? (random() < 0.5 ? 404 : 503) : 200,
      responseTime: random() < 0.02 ? undefined : microseconds / 1000,
      clientIpHash: random() < 0.03 ? undefined : clientHash(client),
      userAgent: "Mozilla/5.0 (X11; Linux x86_64)",
      country: random() < 0.5 ? "DE" : "CN",
    });
  });
}

/** 16 hexadecimal digits that differ from client to client. */
function clientHash(client) {
  const mixed = (BigInt(client) + 1n) * 0x9e3779b97f4a7c15n;
  return BigInt.asUintN(64, mixed).toString(16).padStart(16, "0");
}

/** Cuts a list into parts of at most `size`. */
export function parts(list, size) {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, part) => list.slice(part * size, (part + 1) * size));
}

/** Calls `work` for each item, `width` at once. */
export async function inParallel(list, width, work) {
  const waiting = list.entries();
  const worker = async () => {
    for (const [index, item] of waiting) await work(item, index);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
