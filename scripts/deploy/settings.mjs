// What a deployment needs besides the wrangler configs: the order of the Workers, secrets, settings of stores.

/**
 * The order in which the Workers are deployed, each with the reason. What is called goes before what calls it, and what
 * takes a message in before what sends it; so the newer of two versions is always the one that understands both. A test
 * holds the order against the bindings.
 */
export const ORDER = [
  { worker: "archiver", why: "reads what the consumer writes, and is called by the api: it must understand both before they change" },
  { worker: "consumer", why: "takes in what the producer sends, and is called by the api; its objects are bound by the api" },
  { worker: "api", why: "calls the archiver and the consumer, which are there now" },
  { worker: "producer", why: "sends messages that the consumer now understands" },
];

/** Shortest secret that the Workers accept, in characters. The code says so too: `MIN_TOKEN_CHARS`. */
export const MIN_SECRET_CHARS = 16;

/** Secrets by Worker. A Worker answers 500 and names the secret while one is missing. */
export const SECRETS = {
  producer: [
    { name: "IP_HASH_SECRET", what: "the key from which each day's key for hashing client addresses is derived" },
    { name: "INGEST_TOKEN", what: "what services send with POST /collect" },
  ],
  api: [
    { name: "READ_TOKEN", what: "what readers of the api send" },
    { name: "ADMIN_TOKEN", what: "what administrators send; another than READ_TOKEN" },
  ],
};

/**
 * The rule of each bucket of archives. It drops parts of uploads that were never completed, which nobody can read and
 * which are billed. Moving or deleting archives is the operator's choice: docs/retention.md.
 */
export const LIFECYCLE = { name: "pathstats-incomplete-uploads", prefix: "events-archive/", abortMultipartDays: 7 };

/** Values of the configs that stand for something that only the operator knows. */
export const PLACEHOLDERS = [{ worker: "producer", variable: "ORIGIN_URL", value: "https://origin.example.com", what: "the API that the producer proxies" }];

/** The KV namespace of an environment: a binding names none. */
export const namespaceTitle = (environment) => `pathstats-${environment}`;

export const ENVIRONMENTS = ["staging", "production"];
/** Begins the tag of every version that this command deployed: the platform takes 25 characters. */
export const TAG_PREFIX = "pathstats-";
/** Tag of a first version that lacks the Worker's binding to itself. */
export const FIRST_TAG = `${TAG_PREFIX}first`;
