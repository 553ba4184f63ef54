// Waiting for what is expected, instead of for a time.

const STEP_MS = 50;

/**
 * Asks `condition` again and again until it resolves to something true, and resolves to that. After
 * `within` milliseconds it fails, telling `what` was awaited and what came last.
 */
export async function until(condition, { within = 30_000, what }) {
  const end = Date.now() + within;
  let last;
  for (;;) {
    try {
      last = await condition();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${within / 1000} s`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}
