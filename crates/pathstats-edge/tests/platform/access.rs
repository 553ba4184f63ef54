use pathstats_edge::access::TeamKeys;
use pathstats_edge::clock::now_ms;
use pathstats_model::access::jwt::{Verdict, Verifier};
use wasm_bindgen_test::wasm_bindgen_test;
use worker::{Cache, Response};

const TEAM: &str = "https://fixture.cloudflareaccess.com";

/// A public key, and what it signed: made once with OpenSSL, its private half is gone.
const MODULUS: &str = "sA_jBSJp8xrCgS36Nt4GW8ygQJMbldzcw3KMk3ZJNVLeHIN4BE1t3S2lIuI9wIUS46bhPKyY6Qe4ZOmcjvPVGmEUatIe1muJ0dfBoAhEv3SNvGE5BMvJu8sJCqJOuVRR6DfqPMxkJ2OulINFFNnDW9jwhJhPNFQAjzMdp32yxB5a8HXMDBHsbeioAaobO9Adws3Ai2AwAMj_uumiqSrQ3bts28AwxDJGtZtYReEx7CGUOykBnk8Y5FCMTW2UZN5lQGFovEG4D7WrDWM-QSxYzR-TGTDqsvQG0Vde07S1pQoBe79lV_MT9-Bnw3MRRUjXqto4NLA-fzpxd-x9v2iVow";
const SIGNED: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0";
const SIGNATURE: &str = "i9o2uyu9bdBPdVOphqAk52HPlIL3I9vr2aFOq8BfroqHxKe_FjVp5miFyU3faMVXHOUNeTePo7mGIyPubHGybFg0E_yf-SgKyyZzO1v55E_DoYQ5cjn3I3N2yT9YMgFC5sx2MSADDfC2cVVfnCn7Q8kqhrC4p7Rup2QSLufEfNFAj-mjzfNbVJJa9RXV-nwiV48Yshb4OUtugAPBklyUkLNqBmia7Fta_7Y-Uap74j99faNZJ3tKR3KLPdyUgDZMoHbaohuamsEZlmDVBhiOYUdJOzK3psrUPXvI486FcMZ0VsGi_MnP7zT2WvWAvzzBKR-lxxYkiaUNeIXtLuDV2g";

/// Puts the keys where another instance of this data centre would have put them.
async fn cache_keys(team: &str) {
    let key = serde_json::json!({"kid": "key-1", "kty": "RSA", "alg": "RS256", "use": "sig", "n": MODULUS, "e": "AQAB"});
    let response = Response::from_json(&serde_json::json!({ "keys": [key] })).unwrap();
    response.headers().set("Cache-Control", "public, max-age=3600").unwrap();
    response.headers().set("X-Pathstats-Fetched-At", &now_ms().to_string()).unwrap();
    let name = format!("https://pathstats.internal/access-keys?team={team}");
    Cache::default().put(name, response).await.unwrap();
}

fn bytes(base64url: &str) -> Vec<u8> {
    let text = base64url.replace('-', "+").replace('_', "/");
    let decoded = js_sys::Reflect::get(&js_sys::global(), &"atob".into()).unwrap();
    let decoded = js_sys::Function::from(decoded).call1(&wasm_bindgen::JsValue::NULL, &text.into()).unwrap();
    decoded.as_string().unwrap().chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

// One test: an instance knows one team at a time.
#[wasm_bindgen_test]
async fn web_crypto_checks_signatures_and_no_keys_are_no_pass() {
    cache_keys(TEAM).await;
    let keys = TeamKeys::new(TEAM);
    let signature = bytes(SIGNATURE);
    assert_eq!(keys.verify("key-1", SIGNED.as_bytes(), &signature).await, Ok(Verdict::Valid));
    assert_eq!(keys.verify("key-2", SIGNED.as_bytes(), &signature).await, Ok(Verdict::UnknownKey));
    let other: Vec<u8> = signature.iter().rev().copied().collect();
    let longer = [signature.as_slice(), &[0]].concat();
    let (_, shorter) = signature.split_last().unwrap();
    for (signed, signature) in [
        (SIGNED, other.as_slice()),
        (SIGNED, &longer),
        (SIGNED, shorter),
        (SIGNED, &[]),
        ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIyIn0", &signature),
        ("", &signature),
    ] {
        assert_eq!(keys.verify("key-1", signed.as_bytes(), signature).await, Ok(Verdict::Invalid));
    }
    // Nobody listens there; and the copy above is another team's.
    let nowhere = TeamKeys::new("http://127.0.0.1:9");
    let asked = nowhere.verify("key-1", SIGNED.as_bytes(), &signature).await.unwrap_err().to_string();
    assert!(asked.contains("cannot be had (no connection)"), "{asked}");
    let again = nowhere.verify("key-1", SIGNED.as_bytes(), &signature).await.unwrap_err().to_string();
    assert!(again.contains("failed a moment ago"), "{again}");
}
