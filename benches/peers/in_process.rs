//! Repeats one request in this process: the cost of `codec::process` without a server.
//!
//! `in_process SOURCE OPTIONS`: each line of standard input is a number of repeats, answered by a JSON list of
//! wall times in ms, as `worker.py` does for the peers.

use anyhow::Context;
use imgsrv::codec::{self, Scratch};
use imgsrv::limits::Limits;
use imgsrv::spec::{Options, Spec};
use std::time::Instant;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let source = std::fs::read(args.next().context("which image?")?)?;
    let options = args.next().context("which options? For example width=800&height=600")?;
    let spec = Options::parse(options.as_bytes(), &Spec::default())?.spec;
    let (limits, mut scratch) = (Limits::default(), Scratch::new());
    for line in std::io::stdin().lines() {
        let mut times = Vec::new();
        for _ in 0..line?.trim().parse::<u32>().context("a number of repeats")? {
            let started = Instant::now();
            codec::process(&source, &spec, &limits, &mut scratch)?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        println!("{}", serde_json::to_string(&times)?);
    }
    Ok(())
}
