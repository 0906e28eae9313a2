//! XML-RPC against the real server: what is answered, which faults there are, and what attacks come to.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(feature = "legacy")]

mod http_support;
mod support;

use data_encoding::{BASE64, BASE64_MIME};
use http_support::{Answer, ask, posted};
use std::process::Command;
use support::{Server, jpeg_size, png};

const XML: &str = "Content-Type: text/xml\r\nConnection: close\r\n";

fn call(server: &Server, method: &str, values: &[&str]) -> Answer {
    let params: String =
        values.iter().map(|value| format!("<param><value>{value}</value></param>")).collect();
    let body = format!(
        "<?xml version='1.0'?>\n<methodCall>\n<methodName>{method}</methodName>\n<params>{params}</params>\n</methodCall>\n"
    );
    ask(server, &posted("/RPC2", XML, body.as_bytes()))
}

/// What stands between two tags.
fn within<'a>(text: &'a str, tag: &str) -> &'a str {
    let after = text.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("no {tag}: {text:.300}")).1;
    after.split_once(&format!("</{tag}>")).unwrap().0
}

/// Code and message of a fault.
fn fault(answer: &Answer) -> (u16, String) {
    let text = answer.text();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(text.contains("<methodResponse><fault>"), "{text:.300}");
    (within(&text, "int").parse().unwrap(), within(&text, "string").to_owned())
}

#[test]
fn an_image_comes_back_gray_in_the_kind_in_which_it_was_sent() {
    let server = Server::start_http(&[]);
    let image = png(31, 17);
    for kind in ["string", "base64"] {
        let text = BASE64_MIME.encode(&image);
        let answer = call(&server, "preto_branco", &[&format!("<{kind}>\n{text}</{kind}>")]).text();
        let jpeg = BASE64.decode(within(&answer, kind).as_bytes()).unwrap();
        assert_eq!(jpeg_size(&jpeg), (31, 17));
    }
    // A client that encodes for a library that encodes again gets the same back.
    let twice = BASE64.encode(BASE64.encode(&image).as_bytes());
    let answer = call(&server, "preto_branco", &[&format!("<base64>{twice}</base64>")]).text();
    let once = BASE64.decode(within(&answer, "base64").as_bytes()).unwrap();
    assert_eq!(jpeg_size(&BASE64.decode(&once).unwrap()), (31, 17));
    let page = ask(&server, &http_support::get("/metrics")).text();
    assert!(page.contains("imgsrv_requests_total{protocol=\"xmlrpc\",status=\"ok\"} 3\n"), "{page}");
    assert!(server.stop().contains("protocol=xmlrpc"));
}

#[test]
fn options_are_a_struct_or_a_query_and_the_report_comes_with_the_image() {
    let server = Server::start_http(&[]);
    let image = format!("<base64>{}</base64>", BASE64.encode(&png(100, 50)));
    let member =
        |name: &str, value: &str| format!("<member><name>{name}</name><value>{value}</value></member>");
    let options = [
        format!("<struct>{}{}</struct>", member("width", "<int>10</int>"), member("format", "png")),
        "width=10&amp;format=png".to_owned(),
    ];
    for options in options {
        let answer = call(&server, "process", &[&image, &options]).text();
        let result = BASE64.decode(within(&answer, "base64").as_bytes()).unwrap();
        assert_eq!(image::load_from_memory(&result).unwrap().width(), 10);
        for told in
            ["<name>source_width</name><value><int>100</int>", "<name>format</name><value><string>png<"]
        {
            assert!(answer.contains(told), "{answer:.2000}");
        }
    }
}

#[test]
fn the_methods_tell_about_themselves() {
    let server = Server::start_http(&[]);
    let names = call(&server, "system.listMethods", &[]).text();
    for name in
        ["preto_branco", "process", "system.listMethods", "system.methodHelp", "system.methodSignature"]
    {
        assert!(names.contains(&format!("<string>{name}</string>")), "{names}");
        assert!(call(&server, "system.methodHelp", &[name]).text().contains(name));
        assert!(call(&server, "system.methodSignature", &[name]).text().contains("<array>"));
    }
}

#[test]
fn refusals_are_faults_with_the_codes_of_every_door() {
    let server = Server::start_http(&["--max-body", "1MiB"]);
    let text = format!("<base64>{}</base64>", BASE64.encode(b"this is text"));
    let broken = format!("<base64>{}</base64>", BASE64.encode(&png(64, 48)[..400]));
    for (method, values, code, why) in [
        ("resize", &[][..], 404, "there is no such method"),
        ("system.multicall", &["<array><data/></array>"], 404, "several calls in one"),
        ("preto_branco", &[], 400, "see system.methodHelp('preto_branco')"),
        ("preto_branco", &["<int>1</int>"], 400, "the only argument is an image"),
        ("preto_branco", &["no base64!"], 400, "not a base64 image"),
        ("preto_branco", &[""], 400, "empty"),
        ("preto_branco", &[&text], 415, "unsupported: "),
        ("process", &[&broken, "strict=true"], 422, "damaged: "),
        ("process", &[&text, "wdth=1"], 400, "did you mean 'width'"),
        ("process", &[&text, "<nil/>"], 400, "a struct or a string"),
    ] {
        let (told, message) = fault(&call(&server, method, values));
        assert!(told == code && message.contains(why), "{method}: {told} {message}");
    }
    let large = "x".repeat(2 << 20);
    assert_eq!(call(&server, "preto_branco", &[&large]).status, 413, "refused before it is read");
    let answer = ask(&server, &posted("/", "Content-Type: image/png\r\nConnection: close\r\n", &png(4, 4)));
    assert!(answer.status == 400 && answer.text().contains("/resize"), "{answer:?}");
}

#[test]
fn attacks_are_faults_that_repeat_nothing_of_them() {
    let server = Server::start_http(&[]);
    let marker = "SECRET-MARKER";
    let entities: String =
        (1..30).map(|i| format!("<!ENTITY e{i} \"{}\">", format!("&e{};", i - 1).repeat(10))).collect();
    for (what, body) in [
        ("laughs", format!("<!DOCTYPE l [<!ENTITY e0 \"{marker}\">{entities}]><methodCall><methodName>&e29;</methodName></methodCall>")),
        ("a file", format!("<!DOCTYPE l [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><methodCall><methodName>{marker}&x;</methodName></methodCall>")),
        ("depth", format!("<methodCall><methodName>{marker}</methodName><params><param>{}", "<value><array><data>".repeat(100_000))),
        ("many calls", format!("<methodCall><methodName>system.multicall</methodName><params><param><value><array><data>{}",
            format!("<value><struct><member><name>methodName</name><value>{marker}</value></member></struct></value>").repeat(10_000))),
        ("attributes", format!("<methodCall><methodName a='{marker}' a='2'>m</methodName></methodCall>")),
        ("no end", format!("<methodCall><methodName>{marker}")),
        ("no XML", marker.repeat(1000)),
    ] {
        let answer = ask(&server, &posted("/", XML, body.as_bytes()));
        let (code, message) = fault(&answer);
        assert_eq!(code, 400, "{what}: {message}");
        assert!(!answer.text().contains(marker), "{what}: {message}");
    }
    assert!(!server.stop().contains(marker));
}

#[test]
fn the_example_client_of_pythons_own_library_is_served() {
    let server = Server::start_http(&[]);
    let folder = tempfile::tempdir().unwrap();
    let (input, result) = (folder.path().join("a.png"), folder.path().join("b"));
    std::fs::write(&input, png(100, 50)).unwrap();
    let client = |options: &[&str]| {
        Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/xmlrpc_client.py"))
            .args([&input, &result])
            .args(options)
            .args(["--server", &format!("http://{}", server.http())])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .expect("python3 is installed")
    };
    let output = client(&[]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(jpeg_size(&std::fs::read(&result).unwrap()), (100, 50));
    let output = client(&["width=10", "format=png"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(image::load_from_memory(&std::fs::read(&result).unwrap()).unwrap().width(), 10);
    let output = client(&["width=x"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("refused (400): bad_request: option 'width'"), "{said}");
}

#[test]
fn other_peoples_odd_xml_is_answered_and_harms_nobody() {
    let Some(corpus) = support::shared("corpus") else { return };
    let server = Server::start_http(&[]);
    let mut socket = http_support::connect(&server);
    let mut answered = 0;
    for kind in ["bad/xml", "odd/xml"] {
        for file in std::fs::read_dir(corpus.join(kind)).unwrap() {
            let path = file.unwrap().path();
            let body = std::fs::read(&path).unwrap();
            let request = posted("/RPC2", "Content-Type: text/xml\r\n", &body);
            let answer = http_support::exchange(&mut socket, &request);
            assert_eq!(answer.status, 200, "{}", path.display());
            assert!(answer.text().contains("<fault>"), "{}", path.display());
            answered += 1;
        }
    }
    assert!(answered > 0);
    let page = ask(&server, &http_support::get("/metrics")).text();
    assert!(page.contains("imgsrv_requests_total{protocol=\"xmlrpc\",status=\"internal\"} 0\n"), "{page}");
}

#[test]
fn busy_is_said_before_an_image_is_sent_and_questions_are_answered_all_the_same() {
    let server = Server::start_http(&["--workers", "1", "--queue", "1"]);
    let asking = http_support::fill(&server);
    let mut socket = http_support::connect(&server);
    let head = b"POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: 1000000\r\n\r\n";
    let (code, message) = fault(&http_support::exchange(&mut socket, head));
    assert_eq!(code, 503);
    assert!(message.starts_with("busy: the server is busy, try again in "), "{message}");
    let small = format!("<base64>{}</base64>", BASE64.encode(&png(64, 64)));
    assert_eq!(fault(&call(&server, "preto_branco", &[&small])).0, 503);
    assert!(call(&server, "system.listMethods", &[]).text().contains("preto_branco"));
    drop(asking);
}
