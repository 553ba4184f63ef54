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
