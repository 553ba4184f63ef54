// What a call may fail with.

/** The api answered, and refused. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  /** Seconds until it is worth another try. */
  readonly retryAfter: number | null;
  readonly requestId: string | null;

  constructor(status: number, code: string, title: string, detail: string, retryAfter: number | null, requestId: string | null) {
    super(detail || title);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.title = title;
    this.retryAfter = retryAfter;
    this.requestId = requestId;
  }
}

/** No answer came. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super("the api did not answer", { cause });
    this.name = "Unreachable";
  }
}

/** Reads a refusal: a problem of the api's, or whatever something on the way answered. */
export async function refusalOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  let problem: Record<string, unknown> = {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (parsed && typeof parsed === "object") problem = parsed as Record<string, unknown>;
  } catch {
    // A page of another server: its text is not for a reader.
  }
  const string = (name: string) => (typeof problem[name] === "string" ? (problem[name] as string) : "");
  const seconds = Number(problem["retryAfter"] ?? response.headers.get("retry-after") ?? Number.NaN);
  return new ApiError(
    response.status,
    string("type").split("#")[1] ?? "",
    string("title"),
    string("detail"),
    Number.isFinite(seconds) && seconds >= 0 ? seconds : null,
    response.headers.get("x-request-id"),
  );
}

export type Kind = "unauthorized" | "forbidden" | "notFound" | "busy" | "limited" | "invalid" | "unavailable" | "offline" | "unreachable" | "other";

/** What kind of failure it is, as far as the reader can do something about it. */
export function kindOfError(error: unknown): Kind {
  if (error instanceof Unreachable) return typeof navigator !== "undefined" && navigator.onLine === false ? "offline" : "unreachable";
  if (!(error instanceof ApiError)) return "other";
  const known: Record<number, Kind> = { 400: "invalid", 401: "unauthorized", 403: "forbidden", 404: "notFound", 409: "busy", 429: "limited", 502: "unavailable", 503: "unavailable", 504: "unavailable" };
  return known[error.status] ?? "other";
}
