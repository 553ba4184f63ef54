// What GET /admin/sharding answers. Days are `2026-11-20`, hours `2026-11-20T14`, both UTC.

export interface Layout {
  /** Its first day. */
  from: string;
  shards: number;
  state: "past" | "current" | "coming";
}

export interface ShardDatabase {
  binding: string;
  sizeBytes: number;
  /** Null, here and below: it has none. */
  oldestEvent: string | null;
  newestEvent: string | null;
  oldestHour: string | null;
  newestHour: string | null;
}

export interface Sharding {
  /** Over how many databases today's paths are spread. */
  shards: number;
  /** Databases that every Worker is bound to. */
  bound: number;
  queues: number;
  /** The first day on which a layout that is published now may begin. */
  earliest: string;
  /** Oldest first. Before the first there is one shard. */
  layouts: Layout[];
  /** Those that the api is bound to. */
  databases: ShardDatabase[];
  runbook: string;
}
