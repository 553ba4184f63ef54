// What tests draw at random, the same in every run.
export { seeded, zipf } from "../../../scripts/random.mjs";

/** A copy in another order. */
export function shuffled(list, random) {
  const copy = [...list];
  for (let last = copy.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [copy[last], copy[other]] = [copy[other], copy[last]];
  }
  return copy;
}

/** A number of the log-normal distribution around `median`. */
export function logNormal(median, spread, random) {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(spread * normal);
}
