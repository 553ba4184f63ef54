use pathstats_edge::answer_cache::{recall, remember, KeptAnswer};
use pathstats_edge::clock::now_ms;
use pathstats_edge::http::{gzip, packed_json, Exchange, Response};
use pathstats_model::http::cors::Cors;
use wasm_bindgen_test::wasm_bindgen_test;
use worker::{Headers, Method, Request, RequestInit, ResponseBody};

const TAG: &str = "W/\"a-tag-of-16-chars\"";
const DAY_MS: i64 = 86_400_000;

/// What a client that takes nothing packed reads.
async fn read(response: Response) -> String {
    let mut init = RequestInit::new();
    init.with_method(Method::Get).with_headers(Headers::new());
    let request = Request::new_with_init("https://stats.example.com/paths", &init).unwrap();
    let finished = Exchange::of(&request).unwrap().finish(response, &Cors::default()).unwrap();
    assert_eq!((finished.header("Content-Encoding"), finished.header("ETag")), (None, Some(TAG)));
    worker::Response::from(finished.into_web().unwrap()).text().await.unwrap()
}

#[wasm_bindgen_test]
async fn a_rest_is_packed_once_and_unpacked_under_each_beginning() {
    let rest = "größe ".repeat(5_000);
    let packed = gzip::pack(rest.as_bytes()).await.unwrap();
    for beginning in ["", "{", "a longer beginning: "] {
        let file = packed.beginning_with(beginning.as_bytes());
        assert!(file.len() < rest.len() / 10, "{} bytes", file.len());
        let answer = packed_json(ResponseBody::Body(file), TAG.to_owned());
        assert_eq!(answer.header("Content-Encoding"), Some("gzip"));
        assert_eq!(read(answer).await, format!("{beginning}{rest}"));
    }
}

#[wasm_bindgen_test]
async fn an_answer_is_recalled_until_its_time_is_over() {
    let packed = gzip::pack(b"[]").await.unwrap().beginning_with(b"");
    assert!(recall("never asked").is_none());
    remember("asked", &packed, TAG, now_ms() + DAY_MS);
    assert_eq!(read(recall("asked").unwrap()).await, "[]");
    remember("asked", &packed, TAG, now_ms() - 1);
    assert!(recall("asked").is_none());
}

#[wasm_bindgen_test]
async fn a_kept_answer_comes_from_the_cache_as_it_was_put_there_while_it_is_fresh() {
    let packed = gzip::pack(b"kept").await.unwrap().beginning_with(b"");
    let kept = KeptAnswer::new("/tests", "a=1", DAY_MS);
    assert!(kept.get().await.is_none());
    kept.put(packed, TAG).await;
    assert_eq!(read(kept.get().await.unwrap()).await, "kept");
    assert!(KeptAnswer::new("/tests", "a=2", DAY_MS).get().await.is_none(), "another question");
    assert!(KeptAnswer::new("/tests", "a=1", 0).get().await.is_none(), "no longer fresh");
}
