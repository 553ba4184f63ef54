// The api's answers. Times are ISO 8601 in UTC; hours are `2026-11-20T14`, days `2026-11-20`, both UTC.
import type { Bounded } from "../model/format.ts";

export type { Bounded };
export type * from "./operations.ts";
export type * from "./archive.ts";
export type * from "./sharding.ts";
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
