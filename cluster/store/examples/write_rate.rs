//! Durable writes a second: `cargo run --release --example write_rate -- [DIR]`.
//!
//! Each writer waits for its answer before it writes again, as API clients do.

#![expect(clippy::print_stdout, reason = "the result is the point")]

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use kpkg_store::{Embedded, Options, Precondition, Store};

const SECONDS: u64 = 3;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let base = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let dir = std::path::Path::new(&base).join("write-rate.tmp");
    for writers in [1, 8, 64] {
        let store = Arc::new(Embedded::open(&dir, Options::default())?);
        let value = Bytes::from(vec![b'x'; 1000]);
        let begun = Instant::now();
        let tasks: Vec<_> = (0..writers)
            .map(|writer| {
                let (store, value) = (store.clone(), value.clone());
                tokio::spawn(async move {
                    let mut count = 0_u64;
                    while begun.elapsed().as_secs() < SECONDS {
                        let key = Bytes::from(format!("pods/{writer}/{}", count % 100));
                        store.put(key, value.clone(), Precondition::None).await?;
                        count += 1;
                    }
                    Ok::<_, kpkg_store::Error>(count)
                })
            })
            .collect();
        let mut total = 0;
        for task in tasks {
            total += task.await??;
        }
        let rate = total as f64 / begun.elapsed().as_secs_f64();
        println!("{writers:>3} writers: {rate:>8.0} durable writes/s of 1000 bytes");
        drop(store);
        std::fs::remove_dir_all(&dir)?;
    }
    Ok(())
}
