//! `imgsrv`: the server.
fn main() {}
