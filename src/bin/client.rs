//! `imgcli`: the client.
fn main() {}
