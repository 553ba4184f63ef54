// Events for measuring: the same for the same seed.

import { seeded } from "../random.mjs";

const HOUR = 3_600_000;

/** The start of the hour `hours` before this one. */
export const hourAgo = (hours) => Math.floor(Date.now() / HOUR) * HOUR - hours * HOUR;

/**
 * A maker of events: `make(path, timestamp)` gives the text of one, with an id of its own.
 */
export function eventMaker(seed) {
  const draw = seeded(seed);
  let number = 0;
  return (path, timestamp) => {
    number += 1;
    return JSON.stringify({
      version: 1,
      id: `${timestamp}-${(((seed & 0xff) << 24) | number).toString(16).padStart(8, "0").slice(-8)}`,
      timestamp,
      path,
      method: "GET",
      status: draw() < 0.03 ? 500 : 200,
      responseTime: Math.round(Math.exp(draw() * 5) * 1000) / 1000,
      clientIpHash: Math.floor(draw() * 5_000).toString(16).padStart(16, "0"),
      userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
      country: "NZ",
    });
  };
}

/** The middle of some numbers. */
export const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
