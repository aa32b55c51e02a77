//! Primes for RSA keys: looking for them takes as long as rendering hundreds of charts, and so is done on all processors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crypto_primes::hazmat::{SetBits, SieveFactory, SmallFactorsSieveFactory};
use crypto_primes::{Error, Flavor, is_prime};
use rand::rngs::StdRng;
use rsa::BoxedUint;

use crate::parallel::at_once;

/// A prime of so many bits, the two highest of them set: a product of two has twice as many. The same stream gives the same
/// prime, however many processors look.
pub(super) fn prime(random: &mut StdRng, bits: u32) -> Result<BoxedUint, Error> {
    let mut factory = SmallFactorsSieveFactory::new(Flavor::Any, bits, SetBits::TwoMsb)?;
    loop {
        // There is always one more: the numbers that follow a random one and have no small factors.
        let Some(sieve) = factory.make_sieve(random, None)? else { continue };
        if let Some(prime) = first_prime(sieve) {
            return Ok(prime);
        }
    }
}

/// The first of some numbers that is a prime.
fn first_prime(candidates: impl Iterator<Item = BoxedUint> + Send) -> Option<BoxedUint> {
    let candidates = Mutex::new(candidates.enumerate());
    let first = AtomicUsize::new(usize::MAX);
    // Numbers are taken in their order: when a prime is found, all before it are taken, and whoever has one finishes.
    let look = || {
        loop {
            let (index, candidate) = candidates.lock().unwrap_or_else(PoisonError::into_inner).next()?;
            if index > first.load(Ordering::Relaxed) {
                return None;
            }
            if is_prime(Flavor::Any, &candidate) {
                first.fetch_min(index, Ordering::Relaxed);
                return Some((index, candidate));
            }
        }
    };
    let found = at_once(usize::MAX, look).into_iter().flatten();
    found.min_by_key(|(index, _)| *index).map(|(_, prime)| prime)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rsa::RsaPrivateKey;
    use rsa::traits::PrivateKeyParts;

    /// As the library finds them, which looks at one number after the other.
    #[test]
    fn primes_are_those_of_the_stream() {
        for seed in 0..3 {
            let mut random = StdRng::seed_from_u64(seed);
            let found: Vec<_> = (0..2).map(|_| prime(&mut random, 512).expect("a prime")).collect();
            let key = RsaPrivateKey::new(&mut StdRng::seed_from_u64(seed), 1024).expect("a key");
            let theirs: Vec<_> = key.primes().iter().map(|prime| prime.as_ref().clone()).collect();
            assert_eq!(theirs, found);
        }
    }
}
