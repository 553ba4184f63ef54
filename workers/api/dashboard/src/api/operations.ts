// What GET /admin/health, /admin/capacity, /admin/cardinality, /admin/cost, /admin/dead-letters and /admin/audit answer.

export type Level = "ok" | "warning" | "critical" | "unknown";
export type CheckName = "heartbeat" | "queueDelay" | "queueBacklog" | "snapshot" | "deadLetters" | "database" | "outbox" | "archive" | "reconciliation" | "ledger";
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
  /** Where there are several: all else is of the fullest. */
  databases?: DatabaseSize[];
}
export interface DatabaseSize {
  binding: string;
  sizeBytes: number;
  usedRatio: number;
}

export interface BillLine {
  product: string;
  line: string;
  unit: string;
  quantity: number;
  included: number;
  dollars: number;
}
export interface Cost {
  /** Hours that the counts are of. */
  hours: number;
  events: number;
  /** Null while nothing was metered. */
  month: { pricesAsOf: string; totalDollars: number; lines: BillLine[] } | null;
}

export interface CatchAll {
  requests: number;
  errors: number;
}
export interface HourCardinality {
  hour: string;
  /** Null for no limit. */
  limit: number | null;
  closed: boolean;
  groupsNotFound: boolean;
  admittedPaths: number;
  /** About. */
  refusedPaths: number;
  other: CatchAll;
  notFound: CatchAll;
}
export interface Suggestion {
  template: string;
  sampledPaths: number;
  share: number;
  examples: string[];
}
export interface Cardinality {
  hours: HourCardinality[];
  sampledPaths: number;
  suggestions: Suggestion[];
  pathTemplates: string | null;
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

export interface AlertRule {
  name: string;
  title: string;
  status: "ok" | "pending" | "firing";
  level: "warning" | "critical" | null;
  since: string | null;
  firstStep: string;
  runbook: string;
}
export interface AlertSilence {
  rule: string;
  until: string;
  reason: string;
  by: string;
}
/** What GET /admin/alerts answers, as far as the page shows it. */
export interface Alerts {
  evaluatedAt: string | null;
  webhook: { host: string } | null;
  rules: AlertRule[];
  silences: AlertSilence[];
}

export interface LedgerHour {
  hour: string;
  state: "open" | "balanced" | "differs";
  received: number;
  counted: number;
  duplicates: number;
  deadLettered: number;
  refusedLate: number;
  difference: number;
  checkedAt: string | null;
}
/** What GET /admin/ledger answers, as far as the page shows it. */
export interface Ledger {
  /** Null: what waits is not known. */
  watermark: string | null;
  balanced: boolean;
  hours: LedgerHour[];
}
