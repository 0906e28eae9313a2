//! `docs/options.md` lists exactly the options that the parser takes. `UPDATE=1 cargo test --test options_doc` rewrites it.
#![allow(missing_docs, clippy::unwrap_used)]

use imgsrv::spec::KEYS;
use std::fmt::Write;

const BEGIN: &str = "<!-- the table is made from the parser: UPDATE=1 cargo test --test options_doc -->\n";
const END: &str = "<!-- end of the table -->";

fn table() -> String {
    let mut table = String::from("| option | accepts | default | meaning |\n|---|---|---|---|\n");
    for key in KEYS {
        writeln!(table, "| `{}` | {} | {} | {} |", key.name, key.accepts, key.default, key.meaning).unwrap();
    }
    table
}

#[test]
fn the_documented_options_are_the_ones_that_the_parser_takes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/options.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (before, rest) = document.split_once(BEGIN).expect("the table's begin mark");
    let (documented, after) = rest.split_once(END).expect("the table's end mark");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, [before, BEGIN, &table(), END, after].concat()).unwrap();
        return;
    }
    assert_eq!(documented, table(), "run UPDATE=1 cargo test --test options_doc");
}

#[test]
fn every_picture_of_the_document_is_there() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let document = std::fs::read_to_string(folder.join("options.md")).unwrap();
    let pictures: Vec<_> =
        document.split("](images/").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(pictures.len() > 30, "{}", pictures.len());
    for picture in pictures {
        assert!(folder.join("images").join(picture).is_file(), "{picture}");
    }
}
