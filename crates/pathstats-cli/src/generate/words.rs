//! The words that invented traffic is made of.

/// Resources of the API.
pub const RESOURCES: [&str; 24] = [
    "users",
    "orders",
    "products",
    "carts",
    "invoices",
    "payments",
    "sessions",
    "reviews",
    "search",
    "uploads",
    "messages",
    "teams",
    "projects",
    "events",
    "webhooks",
    "devices",
    "reports",
    "coupons",
    "shipments",
    "returns",
    "addresses",
    "plans",
    "tokens",
    "exports",
];

/// What a resource holds.
pub const SUBRESOURCES: [&str; 10] = [
    "items",
    "history",
    "comments",
    "permissions",
    "status",
    "attachments",
    "tags",
    "members",
    "notes",
    "events",
];

/// Pages beside the front page.
pub const PAGES: [&str; 24] = [
    "/pricing",
    "/about",
    "/contact",
    "/login",
    "/signup",
    "/logout",
    "/careers",
    "/blog",
    "/blog/",
    "/docs",
    "/changelog",
    "/status",
    "/security",
    "/privacy",
    "/terms",
    "/features",
    "/customers",
    "/dashboard",
    "/settings",
    "/settings/billing",
    "/robots.txt",
    "/sitemap.xml",
    "/favicon.ico",
    "/feed.xml",
];

/// Topics of the documentation.
pub const TOPICS: [&str; 8] =
    ["guides", "api", "cli", "tutorials", "operations", "reference", "faq", "recipes"];

/// Names of things.
pub const NOUNS: [&str; 24] = [
    "queues",
    "caches",
    "indexes",
    "sketches",
    "streams",
    "workers",
    "buckets",
    "regions",
    "tokens",
    "limits",
    "alerts",
    "deploys",
    "backups",
    "routes",
    "schemas",
    "metrics",
    "budgets",
    "incidents",
    "releases",
    "migrations",
    "clients",
    "retries",
    "sessions",
    "percentiles",
];

/// What is said of things in a blog.
pub const QUALITIES: [&str; 20] = [
    "better", "faster", "smaller", "boring", "durable", "honest", "cheap", "global", "quiet", "simple",
    "strange", "modern", "exact", "gentle", "missing", "broken", "hidden", "first", "last", "seven",
];

/// Names of assets.
pub const ASSETS: [&str; 16] = [
    "app",
    "vendor",
    "main",
    "runtime",
    "charts",
    "editor",
    "search",
    "login",
    "admin",
    "home",
    "checkout",
    "common",
    "icons",
    "print",
    "theme",
    "polyfills",
];

/// Kinds of assets.
pub const EXTENSIONS: [&str; 6] = ["js", "css", "woff2", "png", "svg", "webp"];

/// Paths that are easily got wrong. The longest one, of 512 characters, is made where it is used.
pub const ODD: [&str; 11] = [
    "/search/a:b",
    "/files/a%2Fb",
    "/wiki/Main Page",
    "/emoji/🦀",
    "/menü/straße/日本",
    "/items/sku:42:red",
    "/a+b&c=d;e,f",
    "/%E2%9C%93/checked",
    "/quote\"d",
    "/back\\slash",
    "/2025-10-15T14:2025-10-15T15",
];

/// What scanners ask for.
pub const SCANNED: [&str; 20] = [
    "/wp-login.php",
    "/.env",
    "/.git/config",
    "/xmlrpc.php",
    "/wp-admin/setup-config.php",
    "/phpmyadmin/index.php",
    "/admin.php",
    "/cgi-bin/luci",
    "/actuator/env",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
    "/boaform/admin/formLogin",
    "/.aws/credentials",
    "/server-status",
    "/config.json",
    "/backup.zip",
    "/shell.php",
    "/solr/admin/info/system",
    "/telescope/requests",
    "/owa/auth/logon.aspx",
    "/.DS_Store",
];

/// User agents of people and of their programs.
pub const AGENTS: [&str; 10] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    "okhttp/4.12.0",
    "ShopApp/5.2.1 CFNetwork/1568.300.101 Darwin/24.2.0",
    "axios/1.7.9",
];

/// User agents of crawlers.
pub const CRAWLERS: [&str; 5] = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
];

/// User agents of scanners. Some send none.
pub const SCANNERS: [&str; 5] =
    ["python-requests/2.32.3", "Mozilla/5.0 zgrab/0.x", "curl/8.5.0", "Go-http-client/1.1", ""];

/// Countries, the most frequent first.
pub const COUNTRIES: [[u8; 2]; 16] = [
    *b"US", *b"DE", *b"GB", *b"FR", *b"IN", *b"BR", *b"JP", *b"NL", *b"CA", *b"AU", *b"ES", *b"PL", *b"CN",
    *b"KR", *b"SE", *b"NZ",
];
