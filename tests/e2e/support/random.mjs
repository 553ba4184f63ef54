// Numbers that look random and are the same in every run.

/** Mulberry32: a function that gives numbers in [0, 1). */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A copy in another order. */
export function shuffled(list, random) {
  const copy = [...list];
  for (let last = copy.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [copy[last], copy[other]] = [copy[other], copy[last]];
  }
  return copy;
}

/** Draws indices below `count`, the first ones most often (Zipf, exponent 1). */
export function zipf(count, random) {
  const sums = [];
  for (let rank = 1, sum = 0; rank <= count; rank++) sums.push((sum += 1 / rank));
  return () => {
    const mark = random() * sums[count - 1];
    let low = 0;
    for (let high = count - 1; low < high; ) {
      const middle = (low + high) >> 1;
      if (sums[middle] < mark) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** A number of the log-normal distribution around `median`. */
export function logNormal(median, spread, random) {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(spread * normal);
}
