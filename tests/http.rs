//! HTTP against the real server: answers, headers, callers.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(feature = "http")]

mod http_support;
mod support;

use http_support::{Answer, ask, exchange, post};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::{Server, jpeg_size, plain, png, read_plain, send};

#[test]
fn a_picture_comes_back_resized_with_all_that_is_known_about_it() {
    let server = Server::start_http(&[]);
    let answer = ask(&server, &post("/resize?width=40&quality=70&id=abc", &png(100, 50)));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(jpeg_size(&answer.body), (40, 20));
    for (name, value) in [
        ("content-type", "image/jpeg"),
        ("x-request-id", "abc"),
        ("x-origin-width", "100"),
        ("x-origin-height", "50"),
        ("x-origin-format", "png"),
        ("x-origin-bytes", png(100, 50).len().to_string().as_str()),
        ("x-result-width", "40"),
        ("x-result-height", "20"),
        ("x-result-format", "jpeg"),
        ("x-result-bytes", answer.body.len().to_string().as_str()),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    for stage in ["queue;dur=", "decode;dur=", "resize;dur=", "encode;dur="] {
        assert!(answer.header("server-timing").contains(stage), "{answer:?}");
    }
    let log = server.stop();
    assert!(log.contains("protocol=http") && log.contains("id=abc") && log.contains("status=ok"), "{log}");
}

#[test]
fn both_protocols_give_the_same_bytes() {
    let server = Server::start_http(&[]);
    let image = png(300, 200);
    let over_http = ask(&server, &post("/resize?width=80&height=60&passthrough=false", &image)).body;
    let mut socket = server.connect();
    send(&mut socket, &plain(&image, 80, 60));
    assert_eq!(over_http, read_plain(&mut socket));
}

#[test]
fn failures_are_told_as_json_with_the_status_of_the_protocol() {
    let server = Server::start_http(&["--max-body", "100KiB"]);
    let image = png(64, 48);
    let large = vec![0; 300 << 10];
    for (target, body, code, status) in [
        ("/resize?width=x", &image[..], 400, "bad_request"),
        ("/resize?wdth=9", &image, 400, "bad_request"),
        ("/resize?token=x", &image, 400, "bad_request"),
        ("/resize", b"", 400, "bad_request"),
        ("/nowhere", b"", 404, "bad_request"),
        ("/resize", &large, 413, "too_large"),
        ("/resize?width=16384&height=16384", &image, 413, "too_large"),
        ("/resize", b"this is text", 415, "unsupported"),
        ("/resize?strict=true", &image[..400], 422, "damaged"),
        ("/resize?deadline_ms=1&width=4000&ops=denoise:9", &image, 504, "timeout"),
    ] {
        let answer = ask(&server, &post(target, body));
        assert_eq!(answer.status, code, "{target}: {answer:?}");
        let told = answer.json();
        assert_eq!(
            (told["status"].as_str(), told["code"].as_u64()),
            (Some(status), Some(code.into())),
            "{target}"
        );
        assert_eq!(told["id"].as_str(), Some(answer.header("x-request-id")), "{target}");
        assert!(!told["message"].as_str().unwrap().is_empty());
        assert!(answer.header("content-security-policy").contains("default-src 'none'"));
    }
}

#[test]
fn other_methods_are_told_which_ones_there_are() {
    let server = Server::start_http(&[]);
    let answer =
        ask(&server, "GET /resize HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".as_bytes());
    assert_eq!((answer.status, answer.header("allow")), (405, "POST,OPTIONS"), "{answer:?}");
    let answer =
        ask(&server, "OPTIONS /resize HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".as_bytes());
    assert_eq!((answer.status, answer.header("allow")), (204, "POST,OPTIONS"), "{answer:?}");
    let answer =
        ask(&server, "HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".as_bytes());
    assert_eq!((answer.status, answer.body.len()), (200, 0), "{answer:?}");
}

#[test]
fn health_readiness_and_metrics_are_told() {
    let server = Server::start_http(&[]);
    ask(&server, &post("/resize?width=4", &png(20, 10)));
    for (path, text) in [("/health", "ok\n"), ("/ready", "ready\n")] {
        let answer = ask(&server, &http_support::get(path));
        assert_eq!((answer.status, answer.text()), (200, text.to_owned()));
    }
    let page = ask(&server, &http_support::get("/metrics")).text();
    assert!(page.contains("imgsrv_requests_total{protocol=\"http\",status=\"ok\"} 1\n"), "{page}");
}

#[test]
fn a_token_is_needed_and_a_wrong_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, "me:sesame\n").unwrap();
    support::make_private(&tokens);
    let server = Server::start_http(&["--token-file", tokens.to_str().unwrap()]);
    let with = |authorization: &str| {
        let head = format!(
            "POST /resize?width=4 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{authorization}"
        );
        let image = png(20, 10);
        ask(&server, &[format!("{head}Content-Length: {}\r\n\r\n", image.len()).as_bytes(), &image].concat())
    };
    for wrong in ["", "Authorization: Bearer sesam\r\n", "Authorization: Basic sesame\r\n"] {
        let answer = with(wrong);
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer realm=\"imgsrv\""));
        assert_eq!(answer.json()["message"], "a valid token is needed");
    }
    assert_eq!(with("Authorization: Bearer sesame\r\n").status, 200);
    assert_eq!(ask(&server, &http_support::get("/metrics")).status, 401);
    assert_eq!(ask(&server, &http_support::get("/health")).status, 200);
    let guesses: Vec<u16> = (0..12).map(|_| with("Authorization: Bearer guess\r\n").status).collect();
    assert_eq!(guesses.last(), Some(&429), "{guesses:?}");
    assert!(!server.stop().contains("sesame"));
}

#[test]
fn a_rate_is_one_for_both_protocols() {
    let server = Server::start_http(&["--rate-requests", "1"]);
    let mut socket = server.connect();
    send(&mut socket, &plain(&png(20, 10), 4, 4));
    assert!(!read_plain(&mut socket).is_empty());
    let answer = ask(&server, &post("/resize?width=4", &png(20, 10)));
    assert_eq!((answer.status, answer.header("retry-after")), (429, "1"), "{answer:?}");
}

#[test]
fn several_requests_share_a_connection() {
    let server = Server::start_http(&[]);
    let mut socket = http_support::connect(&server);
    for width in [4, 8, 16] {
        let answer =
            exchange(&mut socket, &http_support::kept_alive(&format!("/resize?width={width}"), &png(20, 10)));
        assert_eq!(answer.header("x-result-width"), width.to_string());
    }
}

#[test]
fn a_stop_finishes_what_is_in_hand_and_closes_what_idles() {
    let server = Server::start_http(&[]);
    let mut idle = http_support::connect(&server);
    assert_eq!(exchange(&mut idle, &http_support::kept_alive("/resize?width=4", &png(20, 10))).status, 200);
    let mut busy = http_support::connect(&server);
    let request = http_support::kept_alive("/resize?width=8", &png(20, 10));
    let (first, rest) = request.split_at(request.len() - 10);
    send(&mut busy, first);
    std::thread::sleep(Duration::from_millis(200));
    server.signal(15);
    assert!(support::is_closed(&mut idle));
    send(&mut busy, rest);
    let answer = Answer::read(&mut busy);
    assert_eq!((answer.status, answer.header("connection")), (200, "close"));
    let (status, log) = server.wait(Duration::from_secs(30));
    assert!(status.success(), "{log}");
}

#[test]
fn a_default_address_that_is_taken_is_a_warning_and_an_asked_one_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_imgsrv"))
        .args(["--bind=127.0.0.1:0", "--http", &address])
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&address));
    let _default = TcpListener::bind("127.0.0.1:8080"); // ours or somebody's: taken either way
    let server = Server::start_with(None, &[]);
    let mut socket = server.connect();
    send(&mut socket, &plain(&png(20, 10), 4, 4));
    assert!(!read_plain(&mut socket).is_empty());
    let log = server.stop();
    assert!(log.contains("127.0.0.1:8080 is in use"), "{log}");
}

#[test]
fn an_address_of_ipv6_is_served_too() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return support::skip("no IPv6 on this machine");
    }
    let server = Server::start_with(Some("[::1]:0"), &[]);
    assert!(server.http().is_ipv6());
    let answer = ask(&server, &post("/resize?width=8", &png(16, 16)));
    assert_eq!((answer.status, jpeg_size(&answer.body)), (200, (8, 8)));
}

#[test]
fn the_example_client_of_pythons_own_library_is_served() {
    let server = Server::start_http(&[]);
    let folder = tempfile::tempdir().unwrap();
    let (input, result) = (folder.path().join("a.png"), folder.path().join("b.jpg"));
    std::fs::write(&input, png(100, 50)).unwrap();
    let client = |option: &str| {
        Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/http_client.py"))
            .args([&input, &result])
            .args([option, "--server", &format!("http://{}", server.http())])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .expect("python3 is installed")
    };
    let output = client("width=10");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(jpeg_size(&std::fs::read(&result).unwrap()), (10, 5));
    let output = client("width=x");
    assert!(String::from_utf8_lossy(&output.stderr).contains("refused: option 'width' is 'x'"), "{output:?}");
}

#[test]
fn a_picture_may_come_as_a_part_of_a_form_with_options_beside_it() {
    let server = Server::start_http(&[]);
    let form = |name: &str| {
        let mut body = b"--b\r\nContent-Disposition: form-data; name=\"width\"\r\n\r\n30\r\n".to_vec();
        let head =
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a.png\"\r\n\r\n");
        body.extend(head.as_bytes());
        body.extend(png(100, 50));
        body.extend(b"\r\n--b--\r\n");
        body
    };
    let headers = "Content-Type: multipart/form-data; boundary=b\r\nConnection: close\r\n";
    for name in ["image", "file", "photo"] {
        let answer = ask(&server, &http_support::posted("/resize?quality=50", headers, &form(name)));
        assert_eq!((answer.status, answer.header("x-result-width")), (200, "30"), "{name}: {answer:?}");
        assert_eq!(answer.header("x-result-quality"), "50");
    }
    for body in [&b"no form"[..], b"--b--\r\n", &form("image")[..500]] {
        let answer = ask(&server, &http_support::posted("/resize", headers, body));
        assert_eq!(answer.status, 400, "{answer:?}");
    }
}

/// Bodies of forms that browsers and scripts have sent.
#[test]
fn odd_forms_are_read_or_refused_with_the_reason() {
    let server = Server::start_http(&[]);
    let headers = "Content-Type: multipart/form-data; boundary=b\r\nConnection: close\r\n";
    let part = |disposition: &[u8], content: &[u8]| {
        [b"--b\r\nContent-Disposition: form-data; ", disposition, b"\r\n\r\n", content, b"\r\n"].concat()
    };
    let send = |parts: &[Vec<u8>]| {
        let body = [parts.concat(), b"--b--\r\n".to_vec()].concat();
        ask(&server, &http_support::posted("/resize?width=30", headers, &body))
    };
    let image = png(100, 50);
    let latin1 = part(b"name=\"photo\"; filename=\"gr\xfcn.png\"", &image);
    let empty_file = part(b"name=\"other\"; filename=\"\"", b"");
    let empty_field = part(b"name=\"height\"", b"");
    assert_eq!(send(std::slice::from_ref(&latin1)).header("x-result-width"), "30");
    assert_eq!(send(&[empty_file, empty_field, latin1.clone()]).status, 200);
    let two = send(&[latin1, part(b"name=\"second\"; filename=\"x\"", &image)]);
    assert_eq!(two.status, 400);
    assert!(two.text().contains("two images, 'photo' and 'second'"), "{}", two.text());
    let none = send(&[part(b"name=\"photo\"; filename=\"\"", b"")]);
    assert_eq!((none.status, none.json()["message"].as_str()), (400, Some("the image is empty")));
}

#[test]
fn headers_tell_what_a_target_came_to() {
    let server = Server::start_http(&[]);
    let headers = "Content-Type: image/png\r\nConnection: close\r\n";
    let answer = ask(&server, &http_support::posted("/resize?target=60", headers, &png(100, 50)));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.header("x-result-tries").parse::<u32>().unwrap() > 1, "{answer:?}");
    assert!(answer.header("x-result-score").parse::<f64>().unwrap() >= 60.0, "{answer:?}");
}

#[test]
fn a_client_that_has_the_result_is_told_so_without_work() {
    let server = Server::start_http(&[]);
    let image = png(100, 50);
    let first = ask(&server, &post("/resize?width=40", &image));
    let tag = first.header("etag").to_owned();
    assert!(tag.len() > 10, "{first:?}");
    let headers = format!("Connection: close\r\nIf-None-Match: \"x\", {tag}\r\n");
    let answer = ask(&server, &http_support::posted("/resize?width=40", &headers, &image));
    assert_eq!((answer.status, answer.header("etag"), answer.body.len()), (304, tag.as_str(), 0));
    assert_eq!(ask(&server, &http_support::posted("/resize?width=41", &headers, &image)).status, 200);
    let page = ask(&server, &http_support::get("/metrics")).text();
    assert!(page.contains("imgsrv_stage_duration_seconds_count{stage=\"encode\"} 2\n"), "{page}");
}

#[test]
fn auto_is_the_smallest_of_what_the_client_takes() {
    let server = Server::start_http(&[]);
    let answer = |accept: &str| {
        let headers = format!("Connection: close\r\nAccept: {accept}\r\n");
        ask(&server, &http_support::posted("/resize?width=40&format=auto", &headers, &png(100, 50)))
    };
    for (accept, kind) in
        [("image/webp;q=0", "image/png"), ("image/jpeg", "image/jpeg"), ("*/*", "image/png")]
    {
        let answer = answer(accept);
        assert_eq!((answer.header("content-type"), answer.header("vary")), (kind, "Accept"), "{accept}");
    }
    let bytes = |accept| answer(accept).body.len();
    let both = answer("image/webp,*/*");
    assert_eq!(
        both.body.len(),
        bytes("image/png").min(bytes("image/webp")),
        "{}",
        both.header("content-type")
    );
    let photo = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/photo.png")).unwrap();
    let headers = "Connection: close\r\nAccept: image/webp,*/*\r\n";
    let answer = ask(&server, &http_support::posted("/resize?format=auto", headers, &photo));
    assert!(answer.status == 200 && answer.body.len() <= photo.len(), "never larger than the source");
    let answer = ask(&server, &post("/resize?width=40", &png(100, 50)));
    assert_eq!(answer.header("vary"), "");
}

#[test]
fn the_routes_and_names_of_imaginary_are_served() {
    let server = Server::start_http(&[]);
    let image = png(100, 50);
    for (target, kind, size) in [
        ("/crop?width=20&height=20&gravity=centre&type=png", "image/png", ("20", "20")),
        ("/thumbnail?width=20&height=20", "image/jpeg", ("20", "10")),
        ("/convert?type=png", "image/png", ("100", "50")),
        ("/resize?width=20&height=20&nocrop=true", "image/jpeg", ("20", "20")),
        ("/resize?top=0&left=0&areawidth=30&areaheight=10&type=jpg", "image/jpeg", ("30", "10")),
        ("/pipeline/grayscale,blur:2?width=20", "image/jpeg", ("20", "10")),
    ] {
        let answer = ask(&server, &post(target, &image));
        assert_eq!((answer.status, answer.header("content-type")), (200, kind), "{target}: {answer:?}");
        assert_eq!((answer.header("x-result-width"), answer.header("x-result-height")), size, "{target}");
    }
    for target in ["/convert", "/resize?url=http://a/b.png", "/pipeline/fly", "/pipeline/blur:2?ops=sepia"] {
        assert_eq!(ask(&server, &post(target, &image)).status, 400, "{target}");
    }
    let facts = ask(&server, &post("/info", &image)).json();
    assert_eq!(
        (&facts["width"], &facts["height"], &facts["format"]),
        (&100.into(), &50.into(), &"png".into())
    );
    assert_eq!((&facts["type"], &facts["hasAlpha"]), (&"png".into(), &false.into()));
    assert_eq!(ask(&server, &post("/info", b"text")).status, 415);
}

#[test]
fn every_documented_path_is_there() {
    let server = Server::start_http(&[]);
    let document = ask(&server, &http_support::get("/openapi.json")).json();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 8);
    for (path, methods) in paths {
        let path = path.replace("{operations}", "invert");
        for method in methods.as_object().unwrap().keys() {
            let request = match method.as_str() {
                "post" => post(&path, &png(8, 8)),
                method => [method.to_uppercase().as_bytes(), &http_support::get(&path)[3..]].concat(),
            };
            let status = ask(&server, &request).status;
            // There are no tasks without a folder for them.
            let is_off = path == "/ready/tasks" && status == 503;
            assert!(is_off || matches!(status, 200 | 400 | 501), "{method} {path}: {status}");
        }
    }
}

#[test]
fn the_pages_run_our_scripts_and_load_nothing_else() {
    let server = Server::start_http(&[]);
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/docs", "text/html; charset=utf-8"),
        ("/web/page.css", "text/css; charset=utf-8"),
        ("/web/app.js", "text/javascript; charset=utf-8"),
        ("/web/docs.js", "text/javascript; charset=utf-8"),
    ] {
        let answer = ask(&server, &http_support::get(path));
        assert_eq!((answer.status, answer.header("content-type")), (200, kind));
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        let text = answer.text().replace("http://www.w3.org/2000/svg", ""); // a name, not an address
        assert!(!text.contains("http://") && !text.contains("https://"), "{path}");
        assert!(!text.contains("innerHTML") && !text.contains(" onclick="), "{path}");
    }
}
