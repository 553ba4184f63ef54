// The product over two databases and two queues: the real configs with one more of each.
import { crc32 } from "node:zlib";
import { changed, demoOrigin, promptConsumer } from "./configs.mjs";
import { startProduct } from "./product.mjs";

export const SECOND = { binding: "D1_1", database_name: "path-stats-db-1", database_id: "path-stats-db-1-dev", migrations_dir: "../migrations" };
const SECOND_QUEUE = "traffic-events-1";

/** Where what is of a path stands, of so many databases: reckoned here by another program than the product's. */
export const placeOf = (path, shards) => crc32(Buffer.from(path)) % shards;

const twoDatabases = ({ d1_databases }) => ({ d1_databases: [...d1_databases, SECOND] });
const twoQueues = ({ queues }) => ({ queues: { ...queues, producers: [...queues.producers, { binding: "TRAFFIC_QUEUE_1", queue: SECOND_QUEUE }] } });

function twoConsumers({ config }) {
  const [events, dead] = config.queues.consumers;
  return { config: { ...config, ...twoDatabases(config), queues: { consumers: [events, { ...events, queue: SECOND_QUEUE }, dead] } } };
}

/** Starts it. `layouts` are of before: `{ "2026-03-01": 2 }`. */
export async function startSpread({ layouts = {}, vars = {} } = {}) {
  const workers = [
    changed("producer", twoQueues),
    twoConsumers(promptConsumer(vars)),
    changed("api", (config) => ({ ...twoQueues(config), ...twoDatabases(config) })),
    changed("archiver", twoDatabases),
    demoOrigin,
  ];
  const product = await startProduct(workers, { further: [SECOND] });
  for (const [from, shards] of Object.entries(layouts)) {
    await product.rows("INSERT INTO shard_layouts (from_date, shards, published_at, published_by) VALUES (?, ?, 0, 'the test')", from, shards);
  }
  const each = async (sql, ...values) => [await product.rowsIn("D1", sql, ...values), await product.rowsIn("D1_1", sql, ...values)];
  return { ...product, /** Rows of both databases, apart. */ each, /** Rows of both together. */ both: async (sql, ...values) => (await each(sql, ...values)).flat() };
}

/** The product over one, as quick. */
export const startSingle = (vars = {}) => startProduct([changed("producer"), promptConsumer(vars), changed("api"), changed("archiver"), demoOrigin]);
