// Further databases and queues: what the Workers' configs must agree on before a layout can use them.

/** Bindings `NAME`, `NAME_1`, `NAME_2` and so on, in the order of their numbers: `{ binding, target }`. */
function numbered(list = [], name, target) {
  const number = ({ binding }) => (binding === name ? 0 : Number(binding.match(new RegExp(`^${name}_(\\d+)$`))?.[1] ?? NaN));
  return list.filter((one) => !Number.isNaN(number(one))).map((one) => ({ number: number(one), binding: one.binding, target: one[target] })).sort((a, b) => a.number - b.number);
}

const shown = (list) => list.map(({ binding, target }) => `${binding} (${target})`).join(", ") || "none";
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** What stands in the way of paths that are spread over several databases, and of events over several queues. */
export function spreadObstacles({ environment, workers, databases }, found) {
  const obstacles = [];
  const of = (name) => workers.find(({ worker }) => worker === name)?.config ?? {};
  const agree = (names, listOf, what) => {
    const [first, ...others] = names.map((name) => ({ name, list: listOf(of(name)) }));
    first.list.forEach(({ number, binding }, place) => {
      if (number !== place) obstacles.push(`wrangler/${first.name}.jsonc: ${binding} of ${environment} has no ${what} before it in the count: bindings are numbered without a gap.`);
    });
    if (new Set(first.list.map(({ target }) => target)).size !== first.list.length) obstacles.push(`wrangler/${first.name}.jsonc: two of the ${what}s of ${environment} are one: ${shown(first.list)}.`);
    for (const { name, list } of others) {
      if (!same(list, first.list)) obstacles.push(`wrangler/${name}.jsonc and wrangler/${first.name}.jsonc have other ${what}s in ${environment}: ${shown(list)}; ${shown(first.list)}. Give both the same.`);
    }
    return first.list;
  };
  const bound = agree(["consumer", "api", "archiver"], ({ d1_databases }) => numbered(d1_databases, "D1", "database_name"), "database");
  const needed = found.databases[databases[0]?.name]?.shards ?? 1;
  if (needed > bound.length) {
    obstacles.push(`the layouts of ${environment} spread paths over ${needed} databases, and wrangler/ binds ${bound.length}: what is of the others would be missed, and what is new put where nobody looks for it. Bind D1_1 to D1_${needed - 1}; docs/scaling-runbook.md says how to move back.`);
  }
  const queues = agree(["producer", "api"], ({ queues }) => numbered(queues?.producers, "TRAFFIC_QUEUE", "queue"), "queue");
  const consumed = (of("consumer").queues?.consumers ?? []).map(({ queue }) => queue);
  for (const { binding, target } of queues) {
    if (!consumed.includes(target)) obstacles.push(`wrangler/consumer.jsonc: nobody takes from the queue ${target} (${binding} of ${environment}). Add it to queues.consumers, with the dead-letter queue of the others.`);
  }
  return obstacles;
}
