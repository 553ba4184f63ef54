// The api's answers. Times are ISO 8601 in UTC; hours are `2026-11-20T14`, days `2026-11-20`, both UTC.
import type { Bounded } from "../model/format.ts";

export type { Bounded };
export type StatusClass = "1xx" | "2xx" | "3xx" | "4xx" | "5xx";
export type Tier = "cache" | "kv" | "d1";

export interface Session {
  role: "read" | "admin";
  via: "token" | "access";
  name: string;
  expiresAt: string | null;
  errorObjective: number;
  environment: string;
  version: string;
}

export interface Figures {
  requests: number;
  errors: number;
  errorRate: number;
  avgResponseTime: number | null;
  p50: Bounded | null;
  p95: Bounded | null;
  p99: Bounded | null;
  uniqueIps: Bounded | null;
  statusClasses: Partial<Record<StatusClass, number>> | null;
  estimatedRequests?: number;
}

export interface Bucket extends Figures {
  start: string;
  end: string;
  state: "counted" | "counting" | "empty" | "removed";
}

export interface Series {
  from: string;
  to: string;
  total: Figures;
  series: Bucket[];
}

export interface PathRow {
  path: string;
  requests: number;
  errors: number;
  errorRate: number;
  avgResponseTime: number | null;
  p50: number | null;
  p95: number | null;
  p99: number | null;
  uniqueIps: number;
  bounds?: Partial<Record<"p50" | "p95" | "p99" | "uniqueIps", [number, number] | null>>;
  trend?: number[];
  errorTrend?: number[];
  estimatedRequests?: number;
}

export interface Snapshot {
  lastUpdated: string;
  version: number;
  dataSource: Tier;
  stale: boolean;
  stalenessSeconds: number;
  from: string;
  to: string;
  paths: PathRow[];
}

export type FoundPath = Pick<PathRow, "path" | "requests" | "errors" | "errorRate" | "avgResponseTime">;
export interface Found {
  from: string;
  to: string;
  lastUpdated: string | null;
  paths: FoundPath[];
  nextCursor: string | null;
}

export interface Accuracy {
  percentileRelativeError: number;
  uniqueIpsConfidence?: number;
  uniqueIps: string;
  filtered?: string | null;
}

interface Answered extends Series {
  granularity: "hour" | "day";
  timeZone: string;
  lastUpdated: string | null;
  dataSource: Tier;
  previous: Series | null;
  accuracy?: Accuracy;
}

export interface PathStats extends Answered {
  path: string;
  filters: { method: string | null; statusClass: string | null };
  methods: { method: string; requests: number; errors: number }[];
}

export interface ErrorBudget {
  objective: number;
  counts: string;
  requests: number;
  errors: number;
  allowedErrors: number;
  spent: number;
  remaining: number;
  burnRate1h: number | null;
}

export interface NowBefore<T = number> {
  now: T;
  before: T;
}
export interface ChangedPath {
  path: string;
  requests: NowBefore;
  errorRate: NowBefore;
  avgResponseTime: NowBefore<number | null>;
  reason: "traffic" | "errors" | "latency" | "new" | "gone";
  score: number;
}

export interface Metrics extends Answered {
  errorBudget: ErrorBudget | null;
  busiest: { path: string; requests: number; errorRate: number; p95: number | Bounded | null }[];
  slowest: { path: string; requests: number; p95: number | Bounded | null; p99: number | Bounded | null }[];
  changed: ChangedPath[];
}

export type Level = "ok" | "warning" | "critical" | "unknown";
export type CheckName = "heartbeat" | "queueDelay" | "queueBacklog" | "snapshot" | "deadLetters" | "database" | "outbox" | "archive" | "reconciliation";
export interface Check {
  name: CheckName;
  status: Level;
  value: number | null;
  unit: "seconds" | "messages" | "letters" | "share" | "days" | "hours";
  warning: number | null;
  critical: number | null;
  detail: string;
}

export interface ReasonCount {
  reason: string;
  count: number;
  oldest: string;
}

export interface Drop {
  hour: string;
  reason: string;
  requests: number;
}

export interface Health {
  status: Level;
  checkedAt: string;
  checks: Check[];
  queue: { backlogCount: number; backlogBytes: number; oldestMessageAgeSeconds: number | null } | null;
  snapshot: { version: number; updatedAt: string; ageSeconds: number } | null;
  heartbeat: { at: string; ageSeconds: number } | null;
  /** Null, here and below: what holds it does not answer. */
  deadLetters: { total: number; byReason: ReasonCount[] } | null;
  outbox: { messages: number; oldest: string | null } | null;
  recordingDrops: Drop[] | null;
  capacity: Capacity | null;
}

export interface Capacity {
  sizeBytes: number;
  limitBytes: number;
  usedRatio: number;
  level: Exclude<Level, "unknown">;
  growthBytesPerDay: number | null;
  outlook: "dated" | "not_growing" | "more_than_a_year" | "too_few_samples";
  fullAt: string | null;
  emergencyArchive: string | null;
  samples: { at: string; sizeBytes: number }[];
}

export interface DeadLetter {
  id: string;
  reason: string;
  detail: string;
  attempts: number;
  firstSeen: string;
  bytes: number;
  events: number | null;
  preview: string;
  body?: string;
}
export interface DeadLetters {
  total: number;
  byReason: ReasonCount[];
  letters: DeadLetter[];
  nextCursor: string | null;
}
export interface Replayed {
  selected: number;
  replayed: number;
  counted: number;
  duplicates: number;
  stillDead: number;
  failed: number;
  remaining: number;
  /** Where the next call goes on, so that letters that stay dead are not tried again and again. */
  nextCursor?: string | null;
  letters: { id: string; outcome: "replayed" | "stillDead" | "failed"; reason?: string; detail?: string }[];
}
export interface Discarded {
  discarded: number;
  remaining: number;
}

export interface AuditEntry {
  id: string;
  at: string;
  actor: string;
  via: string;
  action: string;
  target: string | null;
  status: number | null;
  requestId: string;
}
export interface Audit {
  entries: AuditEntry[];
  nextCursor: string | null;
}

export interface ArchiveDay {
  date: string;
  closed: boolean;
  due: boolean;
  inDatabase: boolean;
  status: "database" | "archiving" | "cleaning" | "archived";
  records: number;
  bytes: number;
  files: number;
  cleaned: boolean;
  reconciled: boolean | null;
  error: string | null;
}
export interface ArchiveFile {
  path: string;
  format: string;
  stage: string;
  records: number;
  bytes: number;
  pages: number;
  firstId: string | null;
  lastId: string | null;
  sha256: string | null;
  /** Events by hour. */
  hours: Record<string, number>;
  archivedAt: string | null;
}
export interface Counted {
  requests: number;
  errors: number;
  responseTimeUs: number;
  responseTimes: number;
}
export interface Difference {
  path: string;
  hour: string;
  archived: Counted;
  counted: Counted;
}
export interface Reconciliation {
  equal: boolean;
  hoursCompared: number;
  hoursWithoutStatistics: string[];
  /** The first of them. */
  differences: Difference[];
  differing: number;
}
export interface ArchiveDetails extends ArchiveDay {
  objects?: ArchiveFile[];
  reconciliation?: Reconciliation;
  usage?: { rowsRead: number; rowsWritten: number; peakMemoryBytes: number | null };
  updatedAt?: string;
  deleted?: number;
}

export interface RawEvent {
  id: string;
  timestamp: number;
  path: string;
  method: string;
  status: number;
  responseTime?: number;
  clientIpHash?: string;
  userAgent?: string;
  country?: string;
  sampleRatio?: number;
}
export interface RawEvents {
  date: string;
  events: RawEvent[];
  scanned: number;
  nextCursor: string | null;
}
