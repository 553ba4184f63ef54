// What GET /admin/archive/status and /admin/archive/query answer.

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
