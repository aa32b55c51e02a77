//! Randomness and the clock, as arguments.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// What a rendering may know of chance and time. The same seed and time give the same output.
#[derive(Debug)]
pub struct Ambient {
    seed: [u8; 32],
    random: StdRng,
    /// The time that `now` gives, in the zone that dates are printed in.
    pub now: jiff::Zoned,
}

/// A clone starts its stream anew.
impl Clone for Ambient {
    fn clone(&self) -> Self {
        Self::new(self.seed, self.now.clone())
    }
}

impl Ambient {
    /// From a seed, random or chosen, and a time.
    pub fn new(seed: [u8; 32], now: jiff::Zoned) -> Self {
        Self { seed, random: StdRng::from_seed(seed), now }
    }

    /// From a number as the user gives it.
    pub fn seeded(seed: u64, now: jiff::Zoned) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self::new(bytes, now)
    }

    /// The source for one template file: its own stream, so that files may run in any order.
    #[must_use]
    pub fn for_file(&self, name: &str) -> Self {
        use sha2::{Digest, Sha256};
        let mut digest = Sha256::new();
        digest.update(self.seed);
        digest.update(name.as_bytes());
        Self::new(digest.finalize().into(), self.now.clone())
    }

    /// Fills a buffer.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.random.fill_bytes(bytes);
    }

    /// A number below a limit, which must not be zero.
    pub fn below(&mut self, limit: u64) -> u64 {
        // Rejection keeps all numbers equally likely.
        let zone = u64::MAX - u64::MAX % limit;
        loop {
            let value = self.random.next_u64();
            if value < zone {
                return value % limit;
            }
        }
    }

    pub(crate) fn generator(&mut self) -> &mut StdRng {
        &mut self.random
    }
}
