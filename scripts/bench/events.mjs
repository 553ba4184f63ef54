// Events for measuring: the same for the same seed.

/** Mulberry32, a small generator of numbers in [0, 1), good enough to draw paths with. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const HOUR = 3_600_000;

/** The start of the hour `hours` before this one. */
export const hourAgo = (hours) => Math.floor(Date.now() / HOUR) * HOUR - hours * HOUR;

/**
 * A maker of events: `make(path, timestamp)` gives the text of one, with an id of its own.
 */
export function eventMaker(seed) {
  const draw = random(seed);
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

/** Draws an index below `size` with a probability falling as 1/(index + 1), as popularity does (Zipf). */
export function zipf(size, draw) {
  const sums = [];
  for (let index = 0, sum = 0; index < size; index += 1) sums.push((sum += 1 / (index + 1)));
  return () => {
    const place = draw() * sums[size - 1];
    let [low, high] = [0, size - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] > place) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

/** The middle of some numbers. */
export const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Waits until a condition holds, asking every 20 ms, at most so long. */
export async function until(condition, { within, what }) {
  const end = performance.now() + within;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${within / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
