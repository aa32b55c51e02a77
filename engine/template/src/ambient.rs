//! Randomness and the clock, as arguments.

use std::sync::{Arc, OnceLock};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::datetime;

/// The time that `now` gives, in the zone that dates are printed in.
#[derive(Debug, Clone)]
pub struct Clock(Moment);

#[derive(Debug, Clone)]
enum Moment {
    Zoned(jiff::Zoned),
    /// A time in the machine's zone, which is read when it is first asked for: few charts ask.
    Local(jiff::Timestamp, Arc<OnceLock<jiff::Zoned>>),
}

impl Clock {
    /// The time that it is, in the machine's zone; it stands still from now on.
    pub fn system() -> Self {
        Self(Moment::Local(jiff::Timestamp::now(), Arc::default()))
    }

    pub(crate) fn now(&self) -> &jiff::Zoned {
        match &self.0 {
            Moment::Zoned(now) => now,
            Moment::Local(now, zoned) => zoned.get_or_init(|| now.to_zoned(datetime::local())),
        }
    }
}

impl From<jiff::Zoned> for Clock {
    fn from(now: jiff::Zoned) -> Self {
        Self(Moment::Zoned(now))
    }
}

/// What a rendering may know of chance and time. The same seed and time give the same output.
#[derive(Debug)]
pub struct Ambient {
    seed: [u8; 32],
    /// The file whose stream this is, if it is one's.
    file: Option<Box<str>>,
    /// Made when it is first asked for: few files ask.
    random: Option<Box<StdRng>>,
    clock: Clock,
}

/// A clone starts its stream anew.
impl Clone for Ambient {
    fn clone(&self) -> Self {
        Self { seed: self.seed, file: self.file.clone(), random: None, clock: self.clock.clone() }
    }
}

impl Ambient {
    /// From a seed, random or chosen, and a time.
    pub fn new(seed: [u8; 32], clock: impl Into<Clock>) -> Self {
        Self { seed, file: None, random: None, clock: clock.into() }
    }

    /// From a number as the user gives it.
    pub fn seeded(seed: u64, clock: impl Into<Clock>) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self::new(bytes, clock)
    }

    /// The source for one template file: its own stream, so that files may run in any order.
    #[must_use]
    pub fn for_file(&self, name: &str) -> Self {
        Self { seed: self.stream(), file: Some(name.into()), random: None, clock: self.clock.clone() }
    }

    /// What the stream begins with.
    fn stream(&self) -> [u8; 32] {
        use sha2::{Digest, Sha256};
        match &self.file {
            Some(name) => Sha256::new().chain_update(self.seed).chain_update(name.as_bytes()).finalize().into(),
            None => self.seed,
        }
    }

    /// The time that it is.
    pub(crate) fn now(&self) -> &jiff::Zoned {
        self.clock.now()
    }

    /// Fills a buffer.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.generator().fill_bytes(bytes);
    }

    /// A number below a limit, which must not be zero.
    pub fn below(&mut self, limit: u64) -> u64 {
        // Rejection keeps all numbers equally likely.
        let zone = u64::MAX - u64::MAX % limit;
        loop {
            let value = self.generator().next_u64();
            if value < zone {
                return value % limit;
            }
        }
    }

    pub(crate) fn generator(&mut self) -> &mut StdRng {
        if self.random.is_none() {
            self.random = Some(Box::new(StdRng::from_seed(self.stream())));
        }
        self.random.as_mut().expect("made above")
    }
}
