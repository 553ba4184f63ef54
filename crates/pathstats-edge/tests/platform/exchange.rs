use pathstats_edge::http::{self, Exchange};
use pathstats_edge::telemetry::{behind_request, in_request, request_id};
use pathstats_model::http::cors::Cors;
use pathstats_model::problem::Problem;
use wasm_bindgen_test::wasm_bindgen_test;
use worker::{Cache, Headers, Method, Request, RequestInit, Response};

const ADDRESS: &str = "https://stats.example.com/paths";

fn request(method: Method, address: &str, headers: &[(&str, &str)]) -> Request {
    let mut init = RequestInit::new();
    init.with_method(method).with_headers(headers.iter().copied().collect::<Headers>());
    Request::new_with_init(address, &init).unwrap()
}

fn exchange(headers: &[(&str, &str)]) -> Exchange {
    Exchange::of(&request(Method::Get, ADDRESS, headers)).unwrap()
}

fn cors(origins: &'static str) -> Cors {
    Cors::from_variables(&|_: &str| Some(origins.to_owned())).unwrap()
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).unwrap()
}

fn text(length: usize) -> Response {
    http::json(200, &"x".repeat(length)).unwrap()
}

#[wasm_bindgen_test]
fn every_answer_has_the_headers_that_keep_browsers_in_check() {
    let answer =
        exchange(&[]).finish(http::problem(&Problem::not_found("/x")).unwrap(), &Cors::default()).unwrap();
    for (name, value) in [
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        ("Strict-Transport-Security", "max-age=31536000"),
    ] {
        assert_eq!(header(&answer, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(
        (answer.status_code(), header(&answer, "Vary"), header(&answer, "X-Request-Id").unwrap().len()),
        (404, None, 32)
    );
    let local = Exchange::of(&request(Method::Get, "http://127.0.0.1:8788/", &[])).unwrap();
    assert_eq!(header(&local.finish(text(1), &Cors::default()).unwrap(), "Strict-Transport-Security"), None);
    let page = Response::from_html("<p>").unwrap();
    page.headers().set("Content-Security-Policy", "default-src 'self'").unwrap();
    let page = exchange(&[]).finish(page, &Cors::default()).unwrap();
    assert_eq!(
        header(&page, "Content-Security-Policy").as_deref(),
        Some("default-src 'self'"),
        "what is set stays"
    );
}

#[wasm_bindgen_test]
async fn an_answer_that_came_from_elsewhere_is_finished_though_its_headers_cannot_be_changed() {
    let copy = text(1);
    copy.headers().set("Cache-Control", "public, max-age=60").unwrap();
    Cache::default().put(ADDRESS, copy).await.unwrap();
    let fixed = Cache::default().get(ADDRESS, true).await.unwrap().unwrap();
    assert!(fixed.headers().set("X", "y").is_err(), "the platform's rule that this is about");
    let mut answer = exchange(&[("X-Request-Id", "my-own-id")]).finish(fixed, &Cors::default()).unwrap();
    assert_eq!(header(&answer, "X-Request-Id").as_deref(), Some("my-own-id"));
    assert_eq!(header(&answer, "Cache-Control").as_deref(), Some("public, max-age=60"), "what is set stays");
    assert_eq!(answer.text().await.unwrap(), "\"x\"");
}

#[wasm_bindgen_test]
fn long_text_is_compressed_for_who_accepts_it() {
    let encoding = |exchange: &Exchange, response| {
        let answer = exchange.finish(response, &Cors::default()).unwrap();
        (header(&answer, "Content-Encoding"), header(&answer, "Vary"))
    };
    let (gzip, vary) = (Some("gzip".to_owned()), Some("Accept-Encoding".to_owned()));
    let accepting = exchange(&[("Accept-Encoding", "gzip")]);
    assert_eq!(encoding(&accepting, text(2_000)), (gzip, vary.clone()));
    assert_eq!(encoding(&accepting, text(1_000)), (None, vary), "small");
    assert_eq!(encoding(&exchange(&[]), text(2_000)), (None, None));
    let head = Exchange::of(&request(Method::Head, ADDRESS, &[("Accept-Encoding", "gzip")])).unwrap();
    assert_eq!(encoding(&head, text(2_000)).0, None);
    let with = |name: &str, value: &str| {
        let response = text(2_000);
        response.headers().set(name, value).unwrap();
        response
    };
    for (name, value) in [
        ("Content-Type", "application/gzip"),
        ("Content-Encoding", "br"),
        ("Content-Range", "bytes 0-1999/9000"),
        ("Accept-Ranges", "bytes"),
    ] {
        assert_ne!(encoding(&accepting, with(name, value)).0.as_deref(), Some("gzip"), "{name}");
    }
    let answer = accepting.finish(with("ETag", "\"strong\""), &Cors::default()).unwrap();
    assert_eq!(header(&answer, "ETag").as_deref(), Some("W/\"strong\""));
}

#[wasm_bindgen_test]
fn a_client_that_has_the_answer_gets_304() {
    let tag = header(&http::json_with_tag(&[1, 2]).unwrap(), "ETag").unwrap();
    let ask = |method: Method, known: &str, response| {
        let asked = request(method, ADDRESS, &[("If-None-Match", known), ("Accept-Encoding", "gzip")]);
        Exchange::of(&asked).unwrap().finish(response, &cors("https://page.example.com")).unwrap()
    };
    let answer = ask(Method::Get, &format!("\"other\", {tag}"), http::json_with_tag(&[1, 2]).unwrap());
    assert_eq!((answer.status_code(), header(&answer, "ETag")), (304, Some(tag.clone())));
    assert!(matches!(answer.body(), worker::ResponseBody::Empty));
    assert_eq!(header(&answer, "Content-Type"), None);
    assert_eq!(header(&answer, "Cache-Control").as_deref(), Some("private, no-cache"));
    assert_eq!(header(&answer, "Vary").as_deref(), Some("Origin"));
    assert_eq!(ask(Method::Head, "*", http::json_with_tag(&[1]).unwrap()).status_code(), 304);
    assert_eq!(ask(Method::Get, &tag, http::json_with_tag(&[1]).unwrap()).status_code(), 200, "another body");
    assert_eq!(ask(Method::Post, &tag, http::json_with_tag(&[1, 2]).unwrap()).status_code(), 200);
    assert_eq!(ask(Method::Get, "*", text(1)).status_code(), 200, "no tag, nothing to have");
    let late = http::json_with_tag(&[1, 2]).unwrap().with_status(202);
    assert_eq!(ask(Method::Get, &tag, late).status_code(), 202);
}

#[wasm_bindgen_test]
fn only_pages_that_are_named_may_read_an_answer() {
    let named = cors("https://page.example.com");
    let ask = |origin: &str| exchange(&[("Origin", origin)]).finish(text(1), &named).unwrap();
    let answer = ask("https://page.example.com");
    assert_eq!(header(&answer, "Access-Control-Allow-Origin").as_deref(), Some("https://page.example.com"));
    assert!(header(&answer, "Access-Control-Expose-Headers").unwrap().contains("X-Request-Id"));
    assert_eq!(header(&answer, "Access-Control-Allow-Credentials"), None);
    let answer = ask("https://evil.example");
    assert_eq!(
        (header(&answer, "Access-Control-Allow-Origin"), header(&answer, "Vary").as_deref()),
        (None, Some("Origin"))
    );
    let answer =
        exchange(&[("Origin", "https://page.example.com")]).finish(text(1), &Cors::default()).unwrap();
    assert_eq!((header(&answer, "Access-Control-Allow-Origin"), header(&answer, "Vary")), (None, None));
}

#[wasm_bindgen_test]
fn a_browser_that_asks_first_is_told() {
    let named = cors("https://page.example.com");
    let ask = |method: Method, headers: &[(&str, &str)]| {
        Exchange::of(&request(method, ADDRESS, headers)).unwrap().preflight(&named).unwrap()
    };
    let wants = ("Access-Control-Request-Method", "POST");
    let answer = ask(Method::Options, &[("Origin", "https://page.example.com"), wants]).unwrap();
    assert_eq!(
        (answer.status_code(), header(&answer, "Access-Control-Allow-Methods").as_deref()),
        (204, Some("GET, HEAD, POST"))
    );
    assert!(header(&answer, "Access-Control-Allow-Headers").unwrap().contains("Authorization"));
    assert_eq!(header(&answer, "Access-Control-Max-Age").as_deref(), Some("7200"));
    assert_eq!(
        ask(Method::Options, &[("Origin", "https://evil.example"), wants]).unwrap().status_code(),
        403
    );
    assert_eq!(ask(Method::Options, &[wants]).unwrap().status_code(), 403);
    assert!(
        ask(Method::Options, &[("Origin", "https://page.example.com")]).is_none(),
        "not a browser's question"
    );
    assert!(ask(Method::Get, &[("Origin", "https://page.example.com"), wants]).is_none());
}

#[wasm_bindgen_test]
fn an_address_with_a_token_is_refused() {
    let refuse = |query: &str| {
        let request = request(Method::Get, &format!("{ADDRESS}?{query}"), &[]);
        Exchange::of(&request).unwrap().refuse_address()
    };
    for query in
        ["token=s3cr3t", "limit=1&access_token=s3cr3t", "api_key=", "%74oken=s3cr3t", "Access-Token=s3cr3t"]
    {
        let problem = refuse(query).unwrap();
        assert_eq!(problem.status, 400);
        assert!(!problem.detail.contains("s3cr3t"), "{}", problem.detail);
    }
    assert_eq!(refuse("limit=1&cursor=token"), None);
    assert_eq!(refuse(&format!("path={}", "x".repeat(4_000))).unwrap().kind, "about:blank#query_too_long");
}

#[wasm_bindgen_test]
async fn work_of_two_requests_at_once_keeps_their_ids_apart() {
    let pause = || worker::Delay::from(core::time::Duration::from_millis(2));
    let behind = |id: &'static str| {
        behind_request(async move {
            pause().await;
            request_id().as_deref() == Some(id)
        })
    };
    let work = |id: &'static str| {
        in_request(id, async move {
            for _ in 0..5 {
                assert_eq!(request_id().as_deref(), Some(id));
                pause().await;
            }
            Some(behind(id))
        })
    };
    let (first, second) = futures_util::future::join(work("first-one"), work("second-one")).await;
    assert_eq!(request_id(), None);
    let both = futures_util::future::join(first.unwrap(), second.unwrap()).await;
    assert_eq!(both, (true, true), "work behind the answer keeps it too");
    assert_eq!(request_id(), None);
}
