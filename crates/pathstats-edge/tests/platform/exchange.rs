use pathstats_edge::cache;
use pathstats_edge::http::{self, Exchange, Response};
use pathstats_edge::telemetry::{behind_request, in_request, request_id};
use pathstats_model::http::cors::Cors;
use wasm_bindgen_test::wasm_bindgen_test;
use worker::{Headers, Method, Request, RequestInit, ResponseBody};

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
    response.header(name).map(str::to_owned)
}

fn text(length: usize) -> Response {
    http::json(200, &"x".repeat(length)).unwrap()
}

/// How a response reaches a client within the platform: status, one header of all, text.
async fn arrived(response: Response, name: &str) -> (u16, Option<String>, String) {
    let mut response = worker::Response::from(response.into_web().unwrap());
    let value = response.headers().get(name).unwrap();
    let text = match response.body() {
        ResponseBody::Empty => String::new(),
        _ => response.text().await.unwrap(),
    };
    (response.status_code(), value, text)
}

#[wasm_bindgen_test]
async fn a_response_arrives_with_its_status_its_headers_and_its_body() {
    let of = |body| Response::new(203, body).with_header("X-Name", "first").with_header("x-name", "second");
    let (first, second) = (203, Some("second".to_owned()));
    assert_eq!(arrived(of(ResponseBody::Empty), "X-Name").await, (first, second.clone(), String::new()));
    let bytes = || ResponseBody::Body("größe".as_bytes().to_vec());
    assert_eq!(arrived(of(bytes()), "X-Name").await, (first, second.clone(), "größe".to_owned()));
    let stream = Response::new(200, bytes()).into_web().unwrap().body().unwrap();
    let streamed = of(ResponseBody::Stream(stream));
    assert_eq!(arrived(streamed, "X-Name").await, (first, second, "größe".to_owned()));
    let refused = Response::new(200, ResponseBody::Empty).with_header("X-Name", "two\nlines").into_web();
    assert!(refused.is_err(), "{refused:?}");
    assert!(Response::new(99, ResponseBody::Empty).into_web().is_err());
}

#[wasm_bindgen_test]
async fn an_object_answers_with_the_same() {
    let mut answer: worker::Response = http::json(409, &[1]).unwrap().try_into().unwrap();
    assert_eq!((answer.status_code(), answer.text().await.unwrap()), (409, "[1]".to_owned()));
    assert_eq!(
        answer.headers().get("Content-Type").unwrap().as_deref(),
        Some("application/json; charset=utf-8")
    );
}

#[wasm_bindgen_test]
async fn an_answer_that_came_from_elsewhere_is_finished_though_its_headers_cannot_be_changed() {
    let copy = text(1).with_header("Cache-Control", "public, max-age=60");
    worker::Cache::default().put(ADDRESS, copy.try_into().unwrap()).await.unwrap();
    let fixed = worker::Cache::default().get(ADDRESS, true).await.unwrap().unwrap();
    assert!(fixed.headers().set("X", "y").is_err(), "the platform's rule that this is about");
    let answer = exchange(&[("X-Request-Id", "my-own-id")]).finish(fixed.into(), &Cors::default()).unwrap();
    assert_eq!(header(&answer, "X-Request-Id").as_deref(), Some("my-own-id"));
    let (status, caching, body) = arrived(answer, "Cache-Control").await;
    assert_eq!((status, body.as_str()), (200, "\"x\""));
    assert_eq!(caching.as_deref(), Some("public, max-age=60"), "what is set stays");
}

#[wasm_bindgen_test]
async fn a_copy_is_found_under_its_key_as_it_was_kept() {
    let key = "https://pathstats.internal/tests/copy";
    assert!(cache::find(key).await.unwrap().is_none());
    let copy = || {
        http::bytes(vec![0, 255, 7])
            .with_header("Cache-Control", "max-age=60")
            .with_header("X-Label", "1 2 3")
    };
    cache::keep(key, copy()).await.unwrap();
    let found = cache::find(key).await.unwrap().unwrap();
    assert_eq!((found.header("x-label").as_deref(), found.header("X-Other")), (Some("1 2 3"), None));
    assert_eq!(found.bytes().await.unwrap(), [0, 255, 7]);
    assert!(matches!(cache::find(key).await.unwrap().unwrap().into_body(), ResponseBody::Stream(_)));
    cache::keep(key, copy().with_header("X-Label", "4")).await.unwrap();
    assert_eq!(
        cache::find(key).await.unwrap().unwrap().header("X-Label").as_deref(),
        Some("4"),
        "the later one"
    );
    assert!(cache::find(&format!("{key}?other")).await.unwrap().is_none());
    assert!(cache::keep(key, copy().with_status(206)).await.is_err(), "the platform keeps no parts");
}

#[wasm_bindgen_test]
fn a_request_is_read_for_what_its_answer_depends_on() {
    let named = cors("https://page.example.com");
    let finish = |method: Method, headers: &[(&str, &str)], response| {
        Exchange::of(&request(method, ADDRESS, headers)).unwrap().finish(response, &named).unwrap()
    };
    let answer = finish(Method::Get, &[], text(2_000));
    assert_eq!((answer.status(), header(&answer, "Content-Encoding")), (200, None));
    assert_eq!(header(&answer, "X-Request-Id").unwrap().len(), 32);
    assert_eq!(header(&answer, "Strict-Transport-Security").as_deref(), Some("max-age=31536000"));
    let local = Exchange::of(&request(Method::Get, "http://127.0.0.1:8788/", &[])).unwrap();
    assert_eq!(header(&local.finish(text(1), &named).unwrap(), "Strict-Transport-Security"), None);
    let answer = finish(
        Method::Get,
        &[("Accept-Encoding", "gzip"), ("Origin", "https://page.example.com")],
        text(2_000),
    );
    assert_eq!(header(&answer, "Content-Encoding").as_deref(), Some("gzip"));
    assert_eq!(header(&answer, "Access-Control-Allow-Origin").as_deref(), Some("https://page.example.com"));
    let head = finish(Method::Head, &[("Accept-Encoding", "gzip")], text(2_000));
    assert_eq!(header(&head, "Content-Encoding"), None);
    let tag = header(&http::json_with_tag(&[1, 2]).unwrap(), "ETag").unwrap();
    let known = [("If-None-Match", tag.as_str())];
    let answer = finish(Method::Get, &known, http::json_with_tag(&[1, 2]).unwrap());
    assert_eq!((answer.status(), header(&answer, "ETag")), (304, Some(tag.clone())));
    assert!(matches!(answer.body(), ResponseBody::Empty));
    assert_eq!(finish(Method::Get, &known, http::json_with_tag(&[1]).unwrap()).status(), 200, "another body");
    assert_eq!(finish(Method::Post, &known, http::json_with_tag(&[1, 2]).unwrap()).status(), 200);
}

#[wasm_bindgen_test]
fn a_browser_that_asks_first_is_told() {
    let named = cors("https://page.example.com");
    let ask = |method: Method, headers: &[(&str, &str)]| {
        Exchange::of(&request(method, ADDRESS, headers)).unwrap().preflight(&named).unwrap()
    };
    let wants = ("Access-Control-Request-Method", "POST");
    let answer = ask(Method::Options, &[("Origin", "https://page.example.com"), wants]).unwrap();
    assert_eq!((answer.status(), header(&answer, "Access-Control-Max-Age").as_deref()), (204, Some("7200")));
    assert_eq!(ask(Method::Options, &[("Origin", "https://evil.example"), wants]).unwrap().status(), 403);
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
